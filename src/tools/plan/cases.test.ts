// The worked cases of the guide: decision, rules, exit status and values file of each.
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { assertInstalls, assertSpillwayChartTakes } from '../../../test/support/upstream-chart.ts';
import { resolveValues } from '../../core/values/index.ts';
import { decidePlan } from './decide-plan.ts';
import { planValues } from './index.ts';

interface Expected {
  readonly decision: string;
  readonly refusals?: readonly string[];
  readonly rejects?: readonly string[];
  readonly exit: 0 | 3;
  readonly also?: (decided: Awaited<ReturnType<typeof decidePlan>>) => boolean;
}

const single = 'fewer-than-two-engines';
const expected: Readonly<Record<string, Expected>> = {
  '01-no-kubernetes.yaml': {
    decision: 'single-engine none',
    refusals: ['no-kubernetes', single],
    exit: 3,
    also: ({ engines }) => engines === 1,
  },
  '02-hand-rolled.yaml': {
    decision: 'production-stack none',
    rejects: ['hand-rolled'],
    exit: 3,
  },
  '03-no-hbm-monitoring.yaml': {
    decision: 'production-stack none',
    rejects: ['no-hbm-monitoring'],
    exit: 3,
  },
  '04-short-prompts.yaml': {
    decision: 'production-stack none',
    refusals: ['short-prompts-low-concurrency'],
    exit: 3,
  },
  '05-single-engine-lmcache.yaml': {
    decision: 'production-stack native',
    refusals: [single],
    exit: 3,
  },
  '06-lmcache-without-reuse.yaml': {
    decision: 'production-stack none',
    rejects: ['lmcache-without-reuse-or-preemption'],
    exit: 3,
  },
  '07-no-offload.yaml': { decision: 'production-stack none', exit: 0 },
  '08-pressure-without-reuse.yaml': {
    decision: 'production-stack none',
    exit: 0,
    also: ({ facts }) => facts.kvDemand > 0.92,
  },
  '09-multi-tenant-rag.yaml': {
    decision: 'production-stack none',
    exit: 0,
    also: ({ routing }) => routing.policy === 'predictive',
  },
  '10-preemption.yaml': { decision: 'production-stack native', exit: 0 },
  '11-budget-too-small.yaml': {
    decision: 'production-stack none',
    exit: 0,
    also: ({ shortfall = '' }) => /over the budget of \$20\.00/.test(shortfall),
  },
  '12-cpu-only.yaml': {
    decision: 'single-engine none',
    refusals: ['no-kubernetes', 'short-prompts-low-concurrency', single],
    exit: 0,
  },
  '13-prefill-decode.yaml': {
    decision: 'production-stack none',
    exit: 0,
    also: ({ disaggregation }) => disaggregation.advised,
  },
  '14-lora.yaml': {
    decision: 'production-stack none',
    exit: 0,
    also: ({ decision }) => decision.kvOffloadBecause.includes('12 LoRA adapters'),
  },
  '15-agents.yaml': { decision: 'production-stack none', exit: 0 },
  '16-choose-engines-by-rate.yaml': {
    decision: 'production-stack none',
    exit: 0,
    also: ({ engines, facts }) => engines > 1 && facts.concurrency > 20,
  },
  '17-choose-gpu.yaml': {
    decision: 'production-stack none',
    refusals: [single],
    exit: 0,
    also: ({ layout, shortfall }) =>
      shortfall === undefined && (layout.pricePerHour ?? Infinity) < 2.99,
  },
  '18-thresholds.json': {
    decision: 'production-stack none',
    refusals: ['short-prompts-low-concurrency'],
    exit: 0,
    also: ({ assumptions }) =>
      assumptions.some(({ value }) => value === 'offloadPromptTokens 1500 instead of 1000'),
  },
  '19-trace-and-today.yaml': {
    decision: 'production-stack none',
    exit: 0,
    also: ({ workload, today }) =>
      workload.prefixReuse === 'multi-turn' &&
      workload.promptTokens.mean === 3072 &&
      today?.engines === 3,
  },
  '20-published.yaml': { decision: 'production-stack lmcache', exit: 0 },
};

const folder = 'docs/guide/plan/cases';

test('these cases are all inputs of the guide', () => {
  const files = readdirSync(folder).filter((file) => /^\d\d-/.test(file));
  assert.deepEqual(files.sort(), Object.keys(expected).sort());
});

for (const [file, { decision, refusals = [], rejects = [], exit, also }] of Object.entries(
  expected,
)) {
  test(`${file}: ${decision}, exit ${exit}`, async () => {
    const decided = await decidePlan({
      ...{ file: join(folder, file), overrides: [], trace: undefined, prometheus: undefined },
      seed: 1,
    });
    const made = decided.decision;
    assert.equal(`${made.stack} ${made.kvOffload}`, decision);
    assert.deepEqual(
      made.refusals.map(({ rule }) => rule),
      refusals,
    );
    assert.deepEqual(
      made.rejects.map(({ rule }) => rule),
      rejects,
    );
    assert.equal(made.stands, exit === 0);
    for (const { because, nearest } of [...made.refusals, ...made.rejects]) {
      assert.ok(because.length > 10 && nearest.length > 5);
    }
    if (also) assert.ok(also(decided), JSON.stringify(decided.facts));
    assertValuesInstall(decided);
  });
}

test('a values file with LMCache installs, however many GPUs an engine has', async () => {
  for (const file of ['14-lora.yaml', '15-agents.yaml']) {
    const decided = await decidePlan({
      ...{ file: join(folder, file), overrides: [], trace: undefined, prometheus: undefined },
      seed: 1,
    });
    const offloadGiB = decided.offloadGiBWhereUsed;
    const decision = { ...decided.decision, kvOffload: 'lmcache' as const };
    assertValuesInstall({ ...decided, decision, offloadGiB });
  }
});

/** Both charts and `spillway up` accept the values file unchanged, and it contains the decision. */
function assertValuesInstall(decided: Awaited<ReturnType<typeof decidePlan>>): void {
  const text = planValues(decided);
  assertSpillwayChartTakes(text);
  const { servingEngineSpec, routerSpec } = assertInstalls(text);
  const [entry] = servingEngineSpec.modelSpec;
  const isStack = decided.decision.stack === 'production-stack';
  const monitors = [servingEngineSpec.serviceMonitor, routerSpec.serviceMonitor];
  assert.deepEqual(
    monitors.map((monitor) => monitor?.enabled),
    isStack ? [true, true] : [undefined, undefined],
  );
  assert.ok(entry);
  const { extraArgs } = entry['vllmConfig'] as { extraArgs: readonly string[] };
  const at = extraArgs.indexOf('--kv-events-config');
  assert.equal(at >= 0, isStack);
  if (isStack) assert.equal(JSON.parse(extraArgs[at + 1] ?? '').publisher, 'zmq');
  const { values } = resolveValues({ files: [{ name: 'plan.yaml', text }] });
  assert.equal(values.routerSpec.routingLogic, decided.routing.policy);
}
