// `simulate -f` with disaggregated prefill.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { resolveValues } from '../../core/values/index.ts';
import { perRequestLines } from '../simulate-report/index.ts';
import { simulateStack, stackJson, stackPage, stackTable } from './index.ts';
import { stackOf } from './stack-engines.ts';

const directory = mkdtempSync(join(tmpdir(), 'spillway-pools-'));
after(() => rmSync(directory, { recursive: true }));
const workload = join(directory, 'workload.yaml');
writeFileSync(
  workload,
  'kind: single\nrequests: 30\nprompt: 2000\nanswer: 40\narrivals: { process: poisson, rate: 4 }\n',
);

/** The upstream chart's example, with two engines that prefill. */
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

test('in the chart’s example every prompt is transferred, and each pool is reported separately', async () => {
  const stack = await run();
  const told = handoffs(stackJson(stack)) ?? assert.fail();
  assert.equal(told.transfers, 30);
  // 2,000 tokens of 131,072 bytes at 43.5 GB/s, and 0.7 ms, for transfers that do not share the link.
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
  assert.match(
    table,
    /KV transferred: 30 prompts, 7\.86 GB over rdma-400g \(43\.5 GB\/s per GPU\)/,
  );
  const page = stackPage(stack, 'spillway simulate');
  assert.match(page, /<h2>Disaggregated prefill and decode<\/h2>/);
  assert.doesNotMatch(page, /tier hit/, 'a transfer is not a hit');
  const [line = ''] = perRequestLines(stack.timings, 'arrival').split('\n');
  const first = JSON.parse(line) as Record<string, number>;
  assert.equal(first['transfer_bytes'], 2000 * 131_072);
  assert.ok((first['prefill_engine'] ?? 9) < 2 && first['engine'] === 2);
});

test('a slower link adds its transfer time to the TTFT, and the flag overrides the values', async () => {
  const fast = await run(['routerSpec.disaggregation.link=1000']);
  const slow = await run(['routerSpec.disaggregation.link=1000'], { link: 'tcp-25g' });
  const ttft = (stack: typeof fast) => stack.report.fromSent.ttft?.mean ?? Number.NaN;
  assert.equal(handoffs(stackJson(slow))?.link_gb_per_second[0]?.toFixed(2), '2.94');
  assert.ok(ttft(slow) > ttft(fast) + 80, `${ttft(slow)} and ${ttft(fast)} ms`);
});

test('the same engines without disaggregation need no link and transfer nothing', async () => {
  const together = await run(['routerSpec.routingLogic=predictive']);
  assert.equal(handoffs(stackJson(together)), null);
  assert.equal(together.report.completed, 30);
  assert.ok(together.result.engines.every(({ computedTokens }) => computedTokens > 0));
});

test('each GPU of an engine has its own link', async () => {
  const tp = (i: number) => `servingEngineSpec.modelSpec[${i}].vllmConfig.tensorParallelSize=2`;
  const one = handoffs(stackJson(await run())) ?? assert.fail();
  const two = handoffs(stackJson(await run([tp(0), tp(1)]))) ?? assert.fail();
  assert.equal(two.bytes, one.bytes);
  assert.ok(two.mean_transfer_ms < 0.6 * one.mean_transfer_ms + 0.7);
});

test('NIXL’s connector sets the role, and what happens to a lost prompt', async () => {
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
  assert.match(stackTable(recomputed), /and were recomputed by decode engines\./);
  const failing = valuesOf([], text.replace(',"kv_load_failure_policy":"recompute"', ''));
  const failed = await run([], { values: failing, failures });
  const count = (stack: typeof failed) => stack.result.failed.reduce((sum, one) => sum + one, 0);
  assert.ok(count(failed) > count(recomputed));
  assert.match(stackTable(failed), /went down with the engine that stored them and failed\./);
});

test('values that do not fit disaggregated prefill are refused with one sentence', async () => {
  const table: [sets: readonly string[], sentence: RegExp, more?: object][] = [
    [
      ['routerSpec.routingLogic=disaggregated_prefill'],
      /supports one engine of each kind.* 2 and 1/,
    ],
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
    [['routerSpec.routingLogic=predictive'], /--link is for/, { link: '10' }],
  ];
  for (const [sets, sentence, more] of table) {
    await assert.rejects(run(sets, more), sentence, sets.join(' '));
  }
});

test('prompts that are handed over are in the shared store, too, for the engine that prefills them again', async () => {
  const rounds = join(directory, 'rounds.yaml');
  const load = ['kind: shared-prefix', 'groups: 4', 'promptsPerGroup: 12', 'systemPrompt: 8000'];
  const sizes = ['question: 50', 'answer: 20', 'arrivals: { process: poisson, rate: 8 }'];
  writeFileSync(rounds, `${[...load, ...sizes].join('\n')}\n`);
  // HBM of a prefill engine has room for one of the four documents, so that it computes most of them again.
  const entry = 'servingEngineSpec.modelSpec';
  const sets = [0, 1].flatMap((i) => [
    `${entry}[${i}].vllmConfig.enablePrefixCaching=true`,
    `${entry}[${i}].vllmConfig.maxModelLen=9000`,
    `${entry}[${i}].vllmConfig.numGpuBlocksOverride=${i === 0 ? 600 : 20_000}`,
  ]);
  const withStore = valuesText.replaceAll(
    /enableNixl: true, nixlRole: \w+, enablePD: true/g,
    'cpuOffloadingBufferSize: "1"',
  );
  const store = 'cacheserverSpec.enabled=true';
  const values = (text: string, more: readonly string[]) => valuesOf([...sets, ...more], text);
  const without = await run([], { workload: rounds, values: values(valuesText, []) });
  const shared = await run([], { workload: rounds, values: values(withStore, [store]) });
  const read = (result: typeof shared) => {
    const { prefill } = Object.groupBy(result.result.engines, ({ role }) => role ?? 'both') as {
      readonly prefill: typeof result.result.engines;
    };
    return prefill.reduce((sum, { externalTokens }) => sum + externalTokens, 0);
  };
  assert.equal(read(without), 0);
  assert.ok(read(shared) > 20 * 8000, `${read(shared)} tokens`);
  assert.equal(handoffs(stackJson(shared))?.transfers, 48);
});

test('an entry without a role is refused by name', async () => {
  const bare = valuesText
    .replace(/lmcacheConfig: .*kv_consumer.*\n/, '\n')
    .replace(/extraArgs: \[--prefill.*\n/, '\n');
  await assert.rejects(
    run([], { values: valuesOf([], bare) }),
    /modelSpec "llama-decode" does not say whether it prefills or decodes/,
  );
});

/** Engines whose own settings contain no role. */
const unsaid = valuesText
  .replaceAll(/lmcacheConfig: .*\n/g, '\n')
  .replace(/replicaCount: 2\n/, '\n');
const poolsIn = async (text: string, sets: readonly string[] = []) =>
  (await stackOf(valuesOf(sets, text))).pools ?? assert.fail();

test('labels of the router set the roles: each flag takes a list, with = or as the next word', async () => {
  const rolesWith = async (args: string) =>
    (await poolsIn(unsaid.replace(/extraArgs: .*\n/, `extraArgs: ${args}\n`))).roles;
  const labels = '[--prefill-model-labels, "x,p", --decode-model-labels, "d,y"]';
  assert.deepEqual(await rolesWith(labels), ['prefill', 'decode']);
  const joined = '["--prefill-model-labels=x,d", --decode-model-labels=p]';
  assert.deepEqual(await rolesWith(joined), ['decode', 'prefill']);
  const names = '[--prefill-model-labels, llama-prefill, --decode-model-labels, llama-decode]';
  assert.deepEqual(await rolesWith(names), ['prefill', 'decode']);
  const cut = '[--prefill-model-labels=p, --decode-model-labels=d, --prefill-model-labels]';
  assert.deepEqual(await rolesWith(cut), ['prefill', 'decode']);
});

test('labels may be those of the pods', async () => {
  const text = unsaid.replace('labels: { model: d }', 'podLabels: { model: d }');
  assert.deepEqual((await poolsIn(text)).roles, ['prefill', 'decode']);
});

test('each GPU has the bandwidth of the link, whose latency the values may override', async () => {
  const entry = (i: number) => `servingEngineSpec.modelSpec[${i}]`;
  const pools = await poolsIn(unsaid, [
    ...['routerSpec.disaggregation.link=10', `${entry(0)}.vllmConfig.tensorParallelSize=2`],
    'routerSpec.disaggregation.linkLatencyMs=4',
  ]);
  assert.equal(pools.latencySeconds, 0.004);
  assert.deepEqual(pools.gpuBytesPerSecond, [10e9, 10e9]);
  assert.deepEqual(
    pools.links.map(({ bytesPerSecond }) => bytesPerSecond),
    [20e9, 10e9],
  );
  // Blocks of 16 tokens of 131,072 bytes.
  assert.deepEqual(pools.links[0], {
    ...{ bytesPerSecond: 20e9, blockBytes: 16 * 131_072, blockSize: 16 },
  });
  assert.equal((await poolsIn(unsaid)).latencySeconds, 0.0007);
});

test('a lost prompt fails unless all engines that decode recompute it', async () => {
  const connector = (policy: object) => {
    const config = { kv_connector: 'NixlConnector', kv_role: 'kv_consumer', ...policy };
    return `extraArgs: ["--kv-transfer-config", '${JSON.stringify(config)}']`;
  };
  const policyOf = async (...configs: readonly string[]) => {
    const entries = configs.map(
      (config, i) =>
        `{name: d-${i}, modelURL: meta-llama/Llama-3.1-8B-Instruct, gpu: H100-80GB, labels: {model: d}, vllmConfig: {enablePrefixCaching: false, maxModelLen: 32000, ${config}}}`,
    );
    const text = unsaid.replace(
      / {4}- name: llama-decode.*routerSpec/s,
      `${entries.map((one) => `    - ${one}\n`).join('')}routerSpec`,
    );
    return (await poolsIn(text)).loadFailure;
  };
  const [fail, recompute] = ['fail', 'recompute'].map((policy) =>
    connector({ kv_load_failure_policy: policy }),
  ) as [string, string];
  assert.equal(await policyOf(recompute, recompute), 'recompute');
  assert.equal(await policyOf('', fail, connector({})), 'fail');
  await assert.rejects(policyOf(fail, recompute), /different kv_load_failure_policy .* the same/);
  await assert.rejects(policyOf('', recompute), /different kv_load_failure_policy/);
});

test('an engine’s role comes from its label, else its kvRole, else its nixlRole', async () => {
  const rolesOf = async (text: string) =>
    (await run([], { values: valuesOf([], text) })).pools?.roles;
  const roles = ['prefill', 'prefill', 'decode'];
  const unlabelled = valuesText.replace(/extraArgs: .*\n/, '\n');
  assert.deepEqual(await rolesOf(unlabelled), roles);
  assert.deepEqual(
    await rolesOf(unlabelled.replace(/kvRole: kv_(producer|consumer), /g, '')),
    roles,
  );
  assert.deepEqual(await rolesOf(unlabelled.replace(/nixlRole: \w+, /g, '')), roles);
  // A consumer that sends transfers nothing: kvRole counts before nixlRole.
  const sending = unlabelled.replace('nixlRole: receiver', 'nixlRole: sender');
  assert.deepEqual(await rolesOf(sending), roles);
  const labels = '["--prefill-model-labels=x,d", --decode-model-labels=p]';
  const turned = valuesText.replace(/extraArgs: .*\n/, `extraArgs: ${labels}\n`);
  assert.deepEqual(await rolesOf(turned), ['decode', 'decode', 'prefill']);
});
