import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { InputError } from '../../core/base/index.ts';
import { engineCost, findGpu, findModel, shippedEngineConstants } from '../../core/engine/index.ts';
import { closedLoop } from '../../core/simulation/index.ts';
import { sizeEngine } from '../../core/sizing/index.ts';
import { calibrationFile, readStepCostSource } from '../../io/profile/index.ts';
import { calibrate, calibrationText } from './index.ts';

const directory = mkdtempSync(join(tmpdir(), 'spillway-calibrate-'));
after(() => rmSync(directory, { recursive: true }));

const engine = { model: 'Qwen3-8B', gpu: 'H100', tensorParallelSize: 1 };
const options = { ...engine, bench: [], windowSeconds: 0.2, intervalSeconds: 0.1 };
const layout = {
  ...{ model: findModel('Qwen3-8B'), gpu: findGpu('H100'), tensorParallelSize: 1 },
  weightBytesPerValue: 2,
};
const shipped = shippedEngineConstants(layout);
const slow = { ...shipped, weightMemoryShare: shipped.weightMemoryShare / 2 };

function file(name: string, content: string): string {
  const path = join(directory, name);
  writeFileSync(path, content);
  return path;
}

const isInput = (message: RegExp) => (error: unknown) =>
  error instanceof InputError && message.test(error.message);

test('fits a profile to a table of steps, which predicts them and can be read by any command', async () => {
  const cost = engineCost(layout, slow);
  const rows = [1, 2, 4, 8, 16, 32, 64, 128].map((decodes) => {
    const seconds = cost.stepSeconds({
      ...{ sequences: decodes, tokens: decodes, decodeSequences: decodes },
      ...{ prefillTokens: 0, prefillTokenContext: 0, prefillTokensSquared: 0 },
      decodeContextTokens: decodes * 1000,
    });
    return `${decodes},1000,0,0,${seconds * 1e6}`;
  });
  const header = 'decodes,decode_context,prefill_tokens,prefill_context,time_us';
  const steps = file('steps.csv', [header, ...rows].join('\n'));
  const calibration = await calibrate({ ...options, steps });
  const { result, sources } = calibration;
  assert.ok((result.crossValidated?.p90 ?? 1) < 0.03 && result.before.median > 0.3);
  assert.match(calibrationText(calibration), /not seen .*8/);
  const path = file(
    'profile.json',
    JSON.stringify(calibrationFile(calibration.layout, result, sources)),
  );
  const load = {
    ...{ sequences: 20, tokens: 20, decodeSequences: 20, decodeContextTokens: 20_000 },
    ...{ prefillTokens: 0, prefillTokenContext: 0, prefillTokensSquared: 0 },
  };
  const { stepCost, notes } = await readStepCostSource(path, layout);
  const { cost: read } = sizeEngine({ ...layout, stepCost });
  assert.deepEqual(notes, []);
  assert.ok(Math.abs(read.stepSeconds(load) / cost.stepSeconds(load) - 1) < 0.02);
  const other = await readStepCostSource(path, { ...layout, gpu: findGpu('H200') });
  assert.match(other.notes.join(), /Qwen3-8B on 1 × H100-80GB.*used for .*H200/);
});

test('predicts TTFT and TPOT at a load from results of vllm bench serve at others', async () => {
  const { config } = sizeEngine(layout);
  const play = (clients: number) =>
    closedLoop({
      ...{ cost: engineCost(layout, slow), clients, requests: 4 * clients, shortest: 1 },
      kvTokensMax: (config.numGpuBlocks - 1) * config.blockSize,
      maxNumSeqs: config.maxNumSeqs,
      maxNumBatchedTokens: config.maxNumBatchedTokens,
      ...{ promptTokens: 2000, outputTokens: 200 },
    });
  const bench = [1, 4, 16, 64].map((clients) => {
    const { meanTtftSeconds, meanTpotSeconds } = play(clients);
    const result = {
      ...{ completed: 4 * clients, max_concurrency: clients },
      ...{ total_input_tokens: 8000 * clients, total_output_tokens: 800 * clients },
      mean_ttft_ms: (meanTtftSeconds + shipped.requestSeconds) * 1000,
      mean_tpot_ms: meanTpotSeconds * 1000,
    };
    return file(`bench-${clients}.json`, JSON.stringify(result));
  });
  const { result } = await calibrate({ ...options, bench });
  assert.equal(result.fitted.count, 8);
  assert.ok(result.before.p90 > 0.4 && (result.crossValidated?.p90 ?? 1) < 0.1);
  const share = result.constants.weightMemoryShare / slow.weightMemoryShare;
  assert.ok(Math.abs(share - 1) < 0.05, `${share}`);
});

test('refuses missing, empty and useless sources in one sentence', async (t) => {
  await assert.rejects(calibrate(options), isInput(/needs measurements/));
  const bare = file('bare.json', '{"completed":1}');
  await assert.rejects(calibrate({ ...options, bench: [bare] }), isInput(/total_input_tokens/));
  const open = file(
    'open.json',
    JSON.stringify({
      ...{ completed: 1, total_input_tokens: 9, total_output_tokens: 9 },
      ...{ mean_ttft_ms: 1, mean_tpot_ms: 1, max_concurrency: null },
    }),
  );
  await assert.rejects(calibrate({ ...options, bench: [open] }), isInput(/--max-concurrency/));
  await assert.rejects(
    calibrate({ ...options, metricsUrl: 'http://127.0.0.1:9' }),
    /^NoResponseError: Cannot read http:\/\/127.0.0.1:9\/metrics/,
  );
  const server = createServer((_, response) => response.end('up 1\n')).listen(0, '127.0.0.1');
  t.after(() => server.close());
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;
  await assert.rejects(
    calibrate({ ...options, metricsUrl: `http://127.0.0.1:${port}` }),
    isInput(/has no vllm:inter_token_latency_seconds/),
  );
});
