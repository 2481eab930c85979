// `simulate -f` with prefill and decode on engines of their own.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { resolveValues } from '../../core/values/index.ts';
import { perRequestLines } from '../simulate-report/index.ts';
import { simulateStack, stackJson, stackPage, stackTable } from './index.ts';

const directory = mkdtempSync(join(tmpdir(), 'spillway-pools-'));
after(() => rmSync(directory, { recursive: true }));
const workload = join(directory, 'workload.yaml');
writeFileSync(
  workload,
  'kind: single\nrequests: 30\nprompt: 2000\nanswer: 40\narrivals: { process: poisson, rate: 4 }\n',
);

/** As the upstream chart's example, with two engines that prefill. */
const valuesText = `
servingEngineSpec:
  modelSpec:
    - name: llama-prefill
      modelURL: meta-llama/Llama-3.1-8B-Instruct
      gpu: H100-80GB
      replicaCount: 2
      labels: { model: p }
      vllmConfig: { enablePrefixCaching: false, maxModelLen: 32000 }
      lmcacheConfig: { enabled: true, kvRole: kv_producer, enableNixl: true, nixlRole: sender, enablePD: true }
    - name: llama-decode
      modelURL: meta-llama/Llama-3.1-8B-Instruct
      gpu: H100-80GB
      labels: { model: d }
      vllmConfig: { enablePrefixCaching: false, maxModelLen: 32000 }
      lmcacheConfig: { enabled: true, kvRole: kv_consumer, enableNixl: true, nixlRole: receiver, enablePD: true }
routerSpec:
  routingLogic: disaggregated_prefill_orchestrated
  enablePD: true
  extraArgs: [--prefill-model-labels, p, --decode-model-labels, d]
`;
const valuesOf = (sets: readonly string[] = [], text = valuesText) =>
  resolveValues({ files: [{ name: 'v.yaml', text }], sets }).values;
const run = (sets: readonly string[] = [], more: object = {}) =>
  simulateStack({
    ...{ speed: 1, seed: 1, failures: [], percentiles: [50, 90], workload },
    ...{ values: valuesOf(sets), ...more },
  });

interface HandoffJson {
  readonly transfers: number;
  readonly bytes: number;
  readonly mean_transfer_ms: number;
  readonly p50_transfer_ms: number;
  readonly link_gb_per_second: readonly number[];
  readonly pools: readonly { pool: string; engines: number; gpus: number; utilization: number }[];
}
const handoffs = (json: Record<string, unknown>) =>
  (json['spillway'] as { disaggregation: HandoffJson | null }).disaggregation;

test('the chart’s example: every prompt is read over the link, and each pool is told apart', async () => {
  const stack = await run();
  const told = handoffs(stackJson(stack)) ?? assert.fail();
  assert.equal(told.transfers, 30);
  // 2,000 tokens of 131,072 bytes; 43.5 GB/s and 0.7 ms, for those that have the link alone.
  assert.equal(told.bytes, 30 * 2000 * 131_072);
  assert.ok(Math.abs(told.p50_transfer_ms - (262.144 / 43.5 + 0.7)) < 0.1);
  assert.deepEqual(
    told.pools.map(({ pool, engines, gpus }) => [pool, engines, gpus]),
    [
      ['prefill', 2, 2],
      ['decode', 1, 1],
    ],
  );
  const table = stackTable(stack);
  assert.match(table, /\nprefill 2 engines, 2 GPUs, roundrobin: busy [\d.]+ %; waiting/);
  assert.match(table, /KV handed over: 30 prompts, 7\.86 GB over rdma-400g \(43\.5 GB\/s a GPU\)/);
  const page = stackPage(stack, 'spillway simulate');
  assert.match(page, /<h2>Prefill and decode apart<\/h2>/);
  assert.doesNotMatch(page, /tier hit/, 'what is handed over is no hit');
  const [line = ''] = perRequestLines(stack.timings, 'arrival').split('\n');
  const first = JSON.parse(line) as Record<string, number>;
  assert.equal(first['transfer_bytes'], 2000 * 131_072);
  assert.ok((first['prefill_engine'] ?? 9) < 2 && first['engine'] === 2);
});

test('a slower link costs TTFT what its transfers take longer, and the flag wins over the values', async () => {
  const fast = await run(['routerSpec.disaggregation.link=1000']);
  const slow = await run(['routerSpec.disaggregation.link=1000'], { link: 'tcp-25g' });
  const ttft = (stack: typeof fast) => stack.report.fromSent.ttft?.mean ?? Number.NaN;
  assert.equal(handoffs(stackJson(slow))?.link_gb_per_second[0]?.toFixed(2), '2.94');
  assert.ok(ttft(slow) > ttft(fast) + 80, `${ttft(slow)} and ${ttft(fast)} ms`);
});

test('the same engines together need no link and read nothing', async () => {
  const together = await run(['routerSpec.routingLogic=predictive']);
  assert.equal(handoffs(stackJson(together)), null);
  assert.equal(together.report.completed, 30);
  assert.ok(together.result.engines.every(({ computedTokens }) => computedTokens > 0));
});

test('GPUs of one engine each have a link', async () => {
  const tp = (i: number) => `servingEngineSpec.modelSpec[${i}].vllmConfig.tensorParallelSize=2`;
  const one = handoffs(stackJson(await run())) ?? assert.fail();
  const two = handoffs(stackJson(await run([tp(0), tp(1)]))) ?? assert.fail();
  assert.equal(two.bytes, one.bytes);
  assert.ok(two.mean_transfer_ms < 0.6 * one.mean_transfer_ms + 0.7);
});

test('NIXL’s connector says the role, and what becomes of a prompt that is lost', async () => {
  const entry = (name: string, config: object) => `
    - name: ${name}
      modelURL: meta-llama/Llama-3.1-8B-Instruct
      gpu: H100-80GB
      vllmConfig:
        extraArgs: ["--kv-transfer-config", '${JSON.stringify({ kv_connector: 'NixlConnector', ...config })}']`;
  const text = `
servingEngineSpec:
  modelSpec:${entry('a', { kv_role: 'kv_producer' })}${entry('b', {
    kv_role: 'kv_consumer',
    kv_load_failure_policy: 'recompute',
  })}
routerSpec: { routingLogic: disaggregated_prefill, disaggregation: { link: 0.05 } }
`;
  const values = valuesOf([], text);
  const failures = [{ engine: 0, atSeconds: 6, seconds: 1 }];
  const recomputed = await run([], { values, failures });
  assert.equal(recomputed.pools?.loadFailure, 'recompute');
  assert.ok((recomputed.result.handoffs?.lost ?? 0) > 0);
  assert.match(stackTable(recomputed), /and were computed anew by decode\./);
  const failing = valuesOf([], text.replace(',"kv_load_failure_policy":"recompute"', ''));
  const failed = await run([], { values: failing, failures });
  const count = (stack: typeof failed) => stack.result.failed.reduce((sum, one) => sum + one, 0);
  assert.ok(count(failed) > count(recomputed));
  assert.match(stackTable(failed), /went down with the engine that held them and failed\./);
});

test('values that cannot be simulated apart are refused with a sentence', async () => {
  const table: [sets: readonly string[], sentence: RegExp, more?: object][] = [
    [['routerSpec.routingLogic=disaggregated_prefill'], /knows one engine of each kind.* 2 and 1/],
    [['servingEngineSpec.modelSpec[1].enabled=false'], /these values have 2 and 0\./],
    [
      ['servingEngineSpec.modelSpec[1].vllmConfig.blockSize=32'],
      /blocks of 16 tokens and llama-decode of 32/,
    ],
    [
      ['servingEngineSpec.modelSpec[1].vllmConfig.extraArgs={--kv-cache-dtype,fp8}'],
      /different precisions/,
    ],
    [['routerSpec.disaggregation.link=carrier-pigeon'], /No link for KV cache is called/],
    [
      ['servingEngineSpec.modelSpec[1].gpu=L40S', 'routerSpec.disaggregation.link=nvlink'],
      /L40S has no NVLink/,
    ],
    [
      [],
      /KV offload on engines that only prefill/,
      { offload: { kind: 'native', hostBytes: 1e9 } },
    ],
    [['routerSpec.routingLogic=predictive'], /--link is for/, { link: '10' }],
  ];
  for (const [sets, sentence, more] of table) {
    await assert.rejects(run(sets, more), sentence, sets.join(' '));
  }
});

test('an entry that is neither is named', async () => {
  const bare = valuesText
    .replace(/lmcacheConfig: .*kv_consumer.*\n/, '\n')
    .replace(/extraArgs: \[--prefill.*\n/, '\n');
  await assert.rejects(
    run([], { values: valuesOf([], bare) }),
    /modelSpec "llama-decode" is to prefill or to decode, and does not say which/,
  );
});
