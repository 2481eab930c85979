// A plan and `spillway simulate -f` of the values file that it writes: the same engines, so that the same
// traffic gives the same figures.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { after, test } from 'node:test';
import type { StepCostModel } from '../../src/core/engine/index.ts';
import { type SimulatedEngine, simulateFleet } from '../../src/core/simulation/index.ts';
import { startWorkload } from '../../src/core/workload/index.ts';
import { loadValues } from '../../src/io/values/index.ts';
import { decidePlan, planValues } from '../../src/tools/plan/index.ts';
import { connectorsOf } from '../../src/tools/plan/plan-tiers.ts';
import { stackOf } from '../../src/tools/simulate-stack/stack-engines.ts';

const directory = mkdtempSync(join(tmpdir(), 'spillway-agree-'));
after(() => rmSync(directory, { recursive: true }));

const cases = 'docs/guide/plan/cases';

/** The layout of a plan, with a tier that it does not have if one is forced, and the engines that a simulation of its values file has. */
async function bothWays(file: string, profile?: string, forced?: 'lmcache') {
  const made = await decidePlan({
    ...{ file, overrides: [], trace: undefined, prometheus: undefined, profile, seed: 1 },
  });
  const plan =
    forced === undefined
      ? made
      : {
          ...{ ...made, offloadGiB: made.offloadGiBWhereUsed },
          decision: { ...made.decision, kvOffload: forced },
        };
  const values = join(directory, 'values.yaml');
  const text = planValues({ ...plan });
  writeFileSync(values, text);
  const { engines } = await stackOf(await loadValues({ files: [values] }));
  return { plan, engines, text };
}

/** Steps of prompts and of decodes, short and long. */
const loads = [1, 7, 64, 1000].flatMap((sequences) =>
  [0, 512, 8192].map((prefillTokens) => ({
    ...{ sequences, tokens: sequences + prefillTokens, prefillTokens },
    ...{ prefillTokenContext: prefillTokens * 100, prefillTokensSquared: prefillTokens ** 2 },
    ...{ decodeSequences: sequences, decodeContextTokens: sequences * 3000 },
  })),
);

function secondsOf(cost: StepCostModel): number[] {
  return loads.map((load) => cost.stepSeconds(load));
}

async function assertAgree(file: string, profile?: string): Promise<void> {
  const { plan, engines } = await bothWays(file, profile);
  const { layout } = plan;
  assert.equal(engines.length, plan.engines);
  for (const engine of engines) {
    assert.deepEqual(engine.config, layout.config);
    assert.equal(engine.kvTokens, layout.kvTokens);
    assert.deepEqual(engine.memory, layout.memory);
    assert.deepEqual(secondsOf(engine.cost), secondsOf(layout.cost));
  }
}

for (const name of [
  ...['01-no-kubernetes', '05-single-engine-lmcache', '09-multi-tenant-rag', '12-cpu-only'],
  ...['14-lora', '17-choose-gpu', '20-published'],
]) {
  test(`the values file of the plan ${name} gives the engines of that plan`, () =>
    assertAgree(join(cases, `${name}.yaml`)));
}

test('so does one of two nodes to an engine, in stages over the network', async () => {
  const file = join(directory, 'two-nodes.yaml');
  writeFileSync(
    file,
    'workload: {promptTokens: 4000, outputTokens: 400, concurrency: 32, prefixReuse: none}\n' +
      'fleet: {engines: 2, gpu: H100-80GB, gpusPerEngine: 16, model: deepseek-ai/DeepSeek-V3}\n' +
      'operations: {kubernetes: true, hbmMonitoring: true}\n',
  );
  await assertAgree(file);
});

test('so does one of two nodes of four GPUs each', async () => {
  const file = join(directory, 'small-nodes.yaml');
  writeFileSync(
    file,
    'workload: {promptTokens: 4000, outputTokens: 400, concurrency: 32, prefixReuse: none}\n' +
      'fleet: {engines: 2, gpu: H100-80GB, gpusPerEngine: 8, gpusPerNode: 4, model: Qwen/Qwen3-32B}\n' +
      'operations: {kubernetes: true, hbmMonitoring: true}\n',
  );
  const { plan, text } = await bothWays(file);
  const { tensorParallelSize, pipelineParallelSize } = plan.layout;
  assert.deepEqual([tensorParallelSize, pipelineParallelSize], [4, 2]);
  assert.match(text, /requestGPU: 4/);
  await assertAgree(file);
});

test('so does one with the step times of a calibrated engine', async () => {
  const profile = join(directory, 'profile.json');
  const errors = { measurements: 9, median: 0, p90: 0, bias: 0 };
  writeFileSync(
    profile,
    JSON.stringify({
      ...{
        spillway_profile: 1,
        model: 'Qwen/Qwen3-32B',
        gpu: 'H100-80GB',
        tensor_parallel_size: 2,
      },
      constants: {
        ...{ host_seconds_per_step: 0.002, matrix_share: 0.6, attention_share: 0.5 },
        ...{ weight_memory_share: 0.7, kv_memory_share: 0.6, request_seconds: 0.01 },
      },
      fit: { sources: [], decided: {}, before: errors, fitted: errors },
    }),
  );
  await assertAgree(join(cases, '09-multi-tenant-rag.yaml'), profile);
});

test('the same traffic gives the same times either way', async () => {
  const { plan, engines } = await bothWays(join(cases, '09-multi-tenant-rag.yaml'));
  const { config, cost } = plan.layout;
  const planned = played(engines.map(() => ({ config, cost })));
  const simulated = played(engines.map((engine) => ({ config: engine.config, cost: engine.cost })));
  assert.deepEqual(simulated.ttftSeconds, planned.ttftSeconds);
  assert.deepEqual(simulated.e2eSeconds, planned.e2eSeconds);
  assert.ok(planned.ttftSeconds.every((seconds) => seconds > 0));
});

const fourGpus = join(directory, 'four-gpus.yaml');
writeFileSync(
  fourGpus,
  'workload: {promptTokens: 20000, outputTokens: 300, concurrency: 24, prefixReuse: agents, prefixGroups: 90}\n' +
    'fleet: {engines: 2, gpu: H100-80GB, gpusPerEngine: 4, model: Qwen/Qwen3-32B}\n' +
    'operations: {kubernetes: true, hbmMonitoring: true, hostDramGiB: 512}\n',
);

for (const [file, kind, forced] of [
  [join(cases, '05-single-engine-lmcache.yaml'), 'native', undefined],
  [join(cases, '09-multi-tenant-rag.yaml'), 'lmcache', 'lmcache'],
  [fourGpus, 'lmcache', 'lmcache'],
] as const) {
  test(`the tier of a plan with ${kind} is that of its values file: ${basename(file)}`, async () => {
    const { plan, engines, text } = await bothWays(file, undefined, forced);
    const { layout, offloadGiB, decision } = plan;
    assert.equal(decision.kvOffload, kind);
    const { config, cost } = layout;
    // A small cache, so that the tier is used.
    const small = { ...config, numGpuBlocks: 2600 };
    const tiers = { kvOffload: kind, offloadGiB, layout, engines: plan.engines, cost: 0.5 };
    const ofPlan = connectorsOf(tiers, config.blockSize);
    assert.ok(ofPlan);
    const planned = played(
      engines.map(() => ({ config: small, cost, createConnector: () => ofPlan() })),
    );
    const simulated = played(
      engines.map(({ createConnector }) => ({ config: small, cost, createConnector })),
    );
    assert.deepEqual(simulated.ttftSeconds, planned.ttftSeconds);
    assert.deepEqual(simulated.e2eSeconds, planned.e2eSeconds);
    const without = played(engines.map(() => ({ config: small, cost })));
    assert.notDeepEqual(planned.e2eSeconds, without.e2eSeconds);
    // The page, the simulation and the pod name the same memory.
    const [engine] = engines;
    assert.match(engine?.offload ?? '', new RegExp(`\\b${offloadGiB}\\.0 GiB of host memory`));
    assert.match(text, new RegExp(`requestMemory: ${offloadGiB + 32}Gi`));
  });
}

function played(fleet: readonly SimulatedEngine[]) {
  const blockSize = fleet[0]?.config.blockSize ?? 16;
  return simulateFleet({
    requests: startWorkload(
      {
        kind: 'shared-prefix',
        settings: {
          groups: 8,
          promptsPerGroup: 8,
          systemPrompt: 4000,
          question: 2000,
          answer: 100,
        },
        ...{ arrivals: { clients: 16, thinkSeconds: 0 }, requests: 64, seconds: undefined },
      },
      { blockTokens: blockSize, seed: 1 },
    ).source,
    ...{ engines: fleet, policy: 'predictive', traceBlockTokens: blockSize, seed: 1 },
  });
}
