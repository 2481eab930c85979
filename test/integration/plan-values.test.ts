// The values file of a plan, taken unchanged by the commands that carry it out.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { promisify } from 'node:util';
import { loadValues } from '../../src/io/values/index.ts';
import { decidePlan, planValues } from '../../src/tools/plan/index.ts';
import { UpProcess } from '../support/up-process.ts';

const directory = mkdtempSync(join(tmpdir(), 'spillway-plan-values-'));
after(() => rmSync(directory, { recursive: true }));

/** The values file of a worked case, and what it decided; with a tier that it does not have, if one is forced. */
async function planned(name: string, forced?: 'lmcache') {
  const made = await decidePlan({
    ...{ file: `docs/guide/plan/cases/${name}.yaml`, overrides: [], seed: 1 },
    ...{ trace: undefined, prometheus: undefined },
  });
  // The cheap cases have no tier that pays: the file of one that has it is the same in any other respect.
  const decided =
    forced === undefined
      ? made
      : {
          ...{ ...made, offloadGiB: made.offloadGiBWhereUsed },
          decision: { ...made.decision, kvOffload: forced },
        };
  const file = join(directory, `${name}.yaml`);
  writeFileSync(file, planValues(decided));
  return { decided, file };
}

const workload = join(directory, 'workload.yaml');
writeFileSync(
  workload,
  `kind: shared-prefix
groups: 3
promptsPerGroup: 4
systemPrompt: 1024
question: 200
answer: 20
arrivals: {clients: 4, thinkSeconds: 0}
requests: 24
`,
);

for (const [name, offload, forced] of [
  ['12-cpu-only', 'none', undefined],
  ['05-single-engine-lmcache', 'native', undefined],
  ['14-lora', 'lmcache', 'lmcache'],
] as const) {
  test(`simulate plays a workload to the stack of a plan with offload ${offload}`, async () => {
    const { decided, file } = await planned(name, forced);
    assert.equal(decided.decision.kvOffload, offload);
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ['src/cli/main.ts', 'simulate', '-f', file, '--workload', workload, '--json'],
      { timeout: 60_000, maxBuffer: 16 << 20 },
    );
    const result = JSON.parse(stdout);
    assert.deepEqual(
      [result.model_id, result.completed, result.failed],
      [decided.layout.model.name, 24, 0],
    );
  });
}

test('the flags of each offload are in the file', async () => {
  const native = await loadValues({ files: [(await planned('05-single-engine-lmcache')).file] });
  const args = native.servingEngineSpec.modelSpec[0]?.vllmConfig?.extraArgs?.join(' ') ?? '';
  assert.match(args, /--kv-offloading-size 204 --kv-offloading-backend native/);
  const shared = await loadValues({ files: [(await planned('14-lora', 'lmcache')).file] });
  const [spec] = shared.servingEngineSpec.modelSpec;
  assert.deepEqual(
    [spec?.lmcacheConfig?.enabled, spec?.enableLoRA, spec?.replicaCount],
    [true, true, 3],
  );
  assert.equal(shared.routerSpec.routingLogic, 'predictive');
});

test('a model that spans nodes is an entry of Ray for each engine, which simulate takes for one', async () => {
  const decided = await decidePlan({
    ...{ file: undefined, seed: 1, trace: undefined, prometheus: undefined },
    overrides: [
      { path: ['fleet', 'model'], value: 'meta-llama/Llama-3.1-405B', source: 'test' },
      { path: ['fleet', 'engines'], value: 2, source: 'test' },
      { path: ['fleet', 'gpusPerEngine'], value: 24, source: 'test' },
    ],
  });
  const file = join(directory, 'nodes.yaml');
  writeFileSync(file, planValues(decided));
  const { servingEngineSpec } = await loadValues({ files: [file] });
  const specs = servingEngineSpec.modelSpec.map(
    ({ name, replicaCount, requestGPU, vllmConfig }) => [
      ...[name, replicaCount, requestGPU],
      ...[vllmConfig?.tensorParallelSize, vllmConfig?.pipelineParallelSize],
    ],
  );
  assert.deepEqual(specs, [
    ['llama-3-1-405b-1', 2, 8, 8, 3],
    ['llama-3-1-405b-2', 2, 8, 8, 3],
  ]);
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['src/cli/main.ts', 'simulate', '-f', file, '--workload', workload],
    { timeout: 60_000 },
  );
  assert.match(stdout, /^2 × \(24 × H100-80GB\), meta-llama\/Llama-3\.1-405B/m);
});

test('up runs the stack of a plan: its engines, its policy, an answer', async () => {
  const { decided, file } = await planned('14-lora', 'lmcache');
  const up = await UpProcess.start(['-f', file, '--json']);
  try {
    await up.ready();
    const response = await fetch(`${up.url}/v1/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ model: decided.layout.model.name, prompt: 'one', max_tokens: 3 }),
      signal: AbortSignal.timeout(30_000),
    });
    assert.equal(response.status, 200);
    const { usage } = (await response.json()) as { usage: { completion_tokens: number } };
    assert.equal(usage.completion_tokens, 3);
    const state = await fetch(`${up.url}/debug/router`, { signal: AbortSignal.timeout(30_000) });
    const { policy, engines } = (await state.json()) as { policy: string; engines: unknown[] };
    assert.deepEqual([policy, engines.length], ['predictive', 3]);
  } finally {
    await up.end('SIGTERM');
  }
});
