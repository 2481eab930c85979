// The number of engines that a plan chooses: the fewest whose goodput, as the page prints it, meets the objective.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decidePlan, makePlan, planJson, planMarkdown } from './index.ts';
import { layoutWithOffload } from './layout-runs.ts';

/** A plan's request of keys such as `workload.concurrency`. */
function requestOf(keys: Readonly<Record<string, unknown>>) {
  const overrides = Object.entries(keys).map(([key, value]) => ({
    ...{ path: key.split('.'), value, source: 'test' },
  }));
  return { file: undefined, overrides, trace: undefined, prometheus: undefined, seed: 1 };
}

const rag = {
  ...{ 'workload.promptTokens': 2000, 'workload.outputTokens': 60 },
  ...{ 'workload.concurrency': 100, 'workload.prefixReuse': 'rag' },
  ...{ 'fleet.model': 'meta-llama/Llama-3.1-8B-Instruct', 'fleet.gpu': 'H100-80GB' },
};

/** Mean goodput of the planned layout with this many engines. */
async function goodputOf(keys: Readonly<Record<string, unknown>>, engines: number) {
  const { runs, decision, offloadGiBWhereUsed } = await decidePlan(
    requestOf({ ...keys, 'fleet.engines': engines }),
  );
  const layout = layoutWithOffload(runs.base, decision.kvOffload, offloadGiBWhereUsed);
  const played = runs.of(layout);
  return played.reduce((sum, { goodput }) => sum + goodput, 0) / played.length;
}

test('engines: choose takes the fewest engines of whose requests 95 % meet the goals', async () => {
  const keys = { ...rag, 'slo.ttftMs': 400, 'fleet.engines': 'choose' };
  const plan = await makePlan(requestOf(keys));
  const { goodput } = plan.impact.planned;
  assert.ok(goodput.mean >= 0.95, `${goodput.mean} with ${plan.engines} engines`);
  const json = planJson(plan) as { meets: { goals: boolean }; shortfalls: unknown[] };
  assert.deepEqual([json.meets.goals, json.shortfalls], [true, []]);
  assert.ok(plan.engines > 1, 'one engine would prove nothing');
  assert.equal(await goodputOf(keys, plan.engines), goodput.mean, 'the figure that decided');
  const fewer = await goodputOf(keys, plan.engines - 1);
  assert.ok(fewer < 0.95, `${fewer} with one engine less`);
});

test('goals that no number of engines meets are said plainly, with the best fleet', async () => {
  const plan = await makePlan(
    requestOf({
      ...{ ...rag, 'workload.concurrency': 12, 'slo.ttftMs': 5, 'fleet.engines': 'choose' },
    }),
  );
  const json = planJson(plan) as { meets: { goals: boolean } };
  assert.equal(json.meets.goals, false);
  assert.ok(plan.engines < 64, `${plan.engines} engines, of which no number helps`);
  assert.match(
    planMarkdown(plan),
    /^Falls short \(goals\): no number of engines up to 64 on H100-80GB meets the goals: this is the best fleet found, in which 0 % of the requests meet them, not 95 %/m,
  );
});

test('a budget that pays for fewer engines than the goals need is a shortfall', async () => {
  const keys = { ...rag, 'slo.ttftMs': 400, 'fleet.engines': 'choose' };
  const plan = await decidePlan(
    requestOf({ ...keys, 'operations.budgetPerHour': 3, 'operations.gpuPricePerHour': 2.5 }),
  );
  assert.equal(plan.engines, 1);
  assert.match(plan.shortfall ?? '', /^\d engines on H100-80GB cost .*over the budget of \$3\.00$/);
});
