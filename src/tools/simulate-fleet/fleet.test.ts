import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { InputError } from '../../core/base/index.ts';
import { perRequestLines } from '../simulate-report/index.ts';
import { fleetRunJson, fleetRunTable, simulateFleetRun } from './index.ts';

const options = {
  trace: 'bench/data/mooncake-conversation.jsonl.gz',
  ...{ engines: 4, gpu: 'H100', model: 'Qwen3-8B', policy: 'predictive' },
  ...{ speed: 1, requests: 200, seed: 1, percentiles: [50, 90] },
};

test('a fleet has the keys of vllm bench serve, a row per engine, and the same figures each time', async () => {
  const run = await simulateFleetRun(options);
  const json = fleetRunJson(run);
  assert.deepEqual(json, fleetRunJson(await simulateFleetRun(options)));
  for (const key of ['mean_ttft_ms', 'p90_tpot_ms', 'output_throughput', 'hit_rate']) {
    assert.equal(typeof json[key], 'number', key);
  }
  assert.equal(json['completed'], 200);
  const { engines } = json['spillway'] as { engines: { requests: number }[] };
  assert.deepEqual([engines.length, engines.reduce((sum, e) => sum + e.requests, 0)], [4, 200]);
  assert.equal(perRequestLines(run.timings, 'arrival').trim().split('\n').length, 200);
});

test('a level queue is STABLE; a growing one is OVERLOADED, with a warning', async () => {
  const stable = await simulateFleetRun({ ...options, speed: 0.5 });
  assert.equal(stable.verdict, 'STABLE');
  assert.ok(stable.utilization < 1);
  const flooded = await simulateFleetRun({ ...options, engines: 1, speed: 4 });
  assert.equal(flooded.verdict, 'OVERLOADED');
  assert.match(fleetRunTable(flooded), /OVERLOADED.*\n.*depend on the length of the run/);
  const few = await simulateFleetRun({ ...options, engines: 1, speed: 4, requests: 20 });
  assert.match(fleetRunTable(few), /OVERLOADED.*\nOnly 20 requests arrived: .* too short to tell/);
});

test('a run whose admission rejects requests is not STABLE, however short its queue', async () => {
  const admission = { queueTimeout: 2, maxQueuedRequests: 10, saturationWait: 1, holdTimeout: 0 };
  const run = await simulateFleetRun({ ...options, engines: 1, speed: 4, admission });
  assert.equal(run.verdict, 'OVERLOADED');
  const [line = ''] = /^OVERLOADED.*$/m.exec(fleetRunTable(run)) ?? [];
  assert.match(line, /admission rejects [\d.]+ %$/);
  const { rejected } = fleetRunJson(run)['spillway'] as { rejected: number };
  assert.ok(rejected > 0);
  assert.match(fleetRunTable(run), /latencies are those of the admitted requests/);
});

test('a run whose arrivals end before the first responses is not called stable without a warning', async () => {
  const short = await simulateFleetRun({ ...options, engines: 2, requests: 40 });
  assert.match(fleetRunTable(short), /the run is too short to tell whether the system is stable/);
  const { notes } = fleetRunJson(short)['spillway'] as { notes: string[] };
  assert.match(notes.join(), /the run is too short/);
});

test('requests that fit no engine are refused and counted, those beyond the model’s context are noted', async (t) => {
  const small = { ...options, gpu: 'RTX4090', model: 'Llama-3.1-8B', requests: 100 };
  const run = await simulateFleetRun(small);
  const json = fleetRunJson(run);
  const { refused, notes } = json['spillway'] as { refused: number; notes: string[] };
  assert.ok(refused > 0 && refused < 50, `${refused}`);
  assert.deepEqual([json['completed'], json['failed']], [100 - refused, refused]);
  assert.ok(
    notes.some((note) => note.startsWith(`${refused} requests were refused as longer than the 4`)),
  );
  const lines = perRequestLines(run.timings, 'arrival').trim().split('\n');
  assert.equal(lines.length, 100 - refused);
  const short = await simulateFleetRun({ ...options, model: 'Mistral-7B-Instruct-v0.3' });
  assert.match(
    fleetRunTable(short),
    /^\d+ requests? exceeds? the model's context of 32,768 tokens/m,
  );
  assert.equal(fleetRunJson(short)['failed'], 0);
  const folder = mkdtempSync(join(tmpdir(), 'spillway-long-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const trace = join(folder, 'long.csv');
  writeFileSync(trace, 'TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:17:03,60000,5\n');
  await assert.rejects(
    simulateFleetRun({ ...small, trace, requests: undefined }),
    /No request was served: all are longer than the \d+ tokens of KV cache that .* leaves on RTX4090/,
  );
});

test('policies of other projects are available by name', async () => {
  const figures = [];
  for (const policy of ['predictive', 'random', 'llmd-322-precise', 'dynamo']) {
    const run = await simulateFleetRun({ ...options, policy });
    assert.equal(run.report.completed, 200, policy);
    figures.push(fleetRunJson(run)['mean_ttft_ms']);
  }
  assert.equal(new Set(figures).size, figures.length);
  await assert.rejects(
    simulateFleetRun({ ...options, policy: 'llmd-322' }),
    /"llmd-322" is not known; did you mean llmd-322-approximate\?/,
  );
});

test('engines take their step times from a profile, and report what it was measured with', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'spillway-fleet-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const profile = join(folder, 'slow.json');
  const errors = { measurements: 9, median: 0, p90: 0, bias: 0 };
  const calibration = {
    ...{ spillway_profile: 1, model: 'Qwen/Qwen3-8B', gpu: 'H100-80GB', tensor_parallel_size: 1 },
    constants: {
      ...{ host_seconds_per_step: 0.05, matrix_share: 0.5, attention_share: 0.5 },
      ...{ weight_memory_share: 0.7, kv_memory_share: 0.7, request_seconds: 0.0001 },
    },
    fit: { sources: [], decided: {}, before: errors, fitted: errors },
  };
  writeFileSync(profile, JSON.stringify(calibration));
  const slow = await simulateFleetRun({ ...options, requests: 50, profile });
  const fast = await simulateFleetRun({ ...options, requests: 50 });
  const tpot = (run: typeof slow) => fleetRunJson(run)['median_tpot_ms'] as number;
  assert.ok(tpot(slow) > 50 && tpot(fast) < 50);
  assert.ok(!slow.notes.some((note) => note.includes('measured')), `${slow.notes}`);
  const other = await simulateFleetRun({ ...options, requests: 5, gpu: 'H200', profile });
  assert.match(other.notes.join(), /was measured with Qwen.* on 1 × H100-80GB/);
});

test('a trace with blocks of 16 tokens can be played', async () => {
  const trace = 'bench/data/vllm-runs/rtx4090-llama31-8b.jsonl.gz';
  const { report } = await simulateFleetRun({ ...options, trace });
  assert.equal(report.completed, 200);
});

test('engines of several GPUs share layers, have stages, or are cores that the router sees separately', async () => {
  const play = async (size: object) =>
    fleetRunJson(await simulateFleetRun({ ...options, engines: 2, requests: 100, ...size }));
  const [one, shared, staged, cores, more] = [
    await play({}),
    await play({ tensorParallelSize: 2 }),
    await play({ pipelineParallelSize: 2 }),
    await play({ dataParallelSize: 2 }),
    await play({ engines: 4 }),
  ];
  // The median, because the mean contains a few responses that prompts delay, which depends on the picks.
  const tpot = (json: Record<string, unknown>) => json['median_tpot_ms'] as number;
  assert.ok(tpot(shared) < 0.8 * tpot(one));
  // A token passes both stages, so two stages do not make it faster, unlike shared layers.
  assert.ok(tpot(staged) > tpot(shared));
  assert.equal(cores['mean_ttft_ms'], more['mean_ttft_ms']);
  const gpus = [one, shared, staged, cores].map(
    (json) => (json['spillway'] as { gpus: number }).gpus,
  );
  assert.deepEqual(gpus, [2, 4, 4, 4]);
  await assert.rejects(play({ tensorParallelSize: 3 }), /32 attention heads, which 3 GPUs/);
});

test('unknown names are refused with one sentence', async () => {
  const isInput = (message: RegExp) => (error: unknown) =>
    error instanceof InputError && message.test(error.message);
  await assert.rejects(simulateFleetRun({ ...options, policy: 'best' }), isInput(/"best".*known/));
  const many = { ...options, engines: 5001, dataParallelSize: 2 };
  await assert.rejects(simulateFleetRun(many), isInput(/10002 engines.*at most 10000/));
  await assert.rejects(simulateFleetRun({ ...options, gpu: 'H1000' }), isInput(/H100/));
  await assert.rejects(simulateFleetRun({ ...options, model: 'Qwen3-9B' }), isInput(/Qwen/));
});

test('a model from its config.json and a GPU from its figures give the results of the catalogue', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'spillway-fleet-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const shape = {
    ...{ model_type: 'qwen3', hidden_size: 4096, intermediate_size: 12_288, vocab_size: 151_936 },
    ...{ num_attention_heads: 32, num_key_value_heads: 8, head_dim: 128, num_hidden_layers: 36 },
    ...{ tie_word_embeddings: false, max_position_embeddings: 40_960 },
  };
  writeFileSync(join(folder, 'config.json'), JSON.stringify(shape));
  // The catalogue's L40S, whose shares of the rates the file adopts.
  const entry =
    '{name: Mine, memory_gib: 44.39, tflops: 362, memory_gb_per_second: 864, link: {kind: PCIe, gb_per_second: 25}}';
  const ours = await simulateFleetRun({ ...options, model: folder, gpu: entry, requests: 50 });
  const known = await simulateFleetRun({ ...options, gpu: 'L40S', requests: 50 });
  assert.equal(fleetRunJson(ours)['mean_ttft_ms'], fleetRunJson(known)['mean_ttft_ms']);
});
