// What the first lines of a plan say: whether it stands, is advised, and meets its goals.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { roundPercent } from '../report/index.ts';
import { makePlan, planJson, planMarkdown, planTerminal, planValues } from './index.ts';

/** A plan of keys such as `workload.concurrency`. */
function planOf(keys: Readonly<Record<string, unknown>>) {
  const overrides = Object.entries(keys).map(([key, value]) => ({
    ...{ path: key.split('.'), value, source: 'test' },
  }));
  return makePlan({ file: undefined, overrides, trace: undefined, prometheus: undefined, seed: 1 });
}

const small = {
  ...{ 'workload.outputTokens': 40, 'fleet.engines': 2, 'fleet.model': 'Qwen3-8B' },
  'fleet.gpu': 'H100',
};

for (const [name, keys] of [
  [
    'one tenant with one prompt',
    { 'workload.prefixReuse': 'system-prompt', 'workload.prefixGroups': 1 },
  ],
  [
    'prompts of 300 tokens',
    {
      ...{ 'workload.prefixReuse': 'rag', 'workload.promptTokens': 300 },
      'workload.concurrency': 110,
    },
  ],
] as const) {
  test(`LMCache wanted for ${name} is left out of page and values file, with the reason`, async () => {
    const wants = { 'wants.kvOffload': 'lmcache' };
    const plan = await planOf({ ...small, 'workload.concurrency': 16, ...keys, ...wants });
    const { decision, impact } = plan;
    assert.deepEqual([decision.kvOffload, decision.stands], ['none', true]);
    assert.ok(impact.gains.lmcache.throughput.mean < 0, 'it costs something');
    const json = planJson(plan) as { advised: boolean; decision: { kvOffloadLeftOut: string } };
    assert.deepEqual([json.advised, json.decision.kvOffloadLeftOut], [true, 'lmcache']);
    const [, , first = '', , second = ''] = planMarkdown(plan).split('\n');
    assert.match(first, /^The plan stands by the rules, but without the wanted LMCache/);
    assert.match(
      second,
      /^Left out: LMCache, which no rule refuses: the working set is \d+ % of HBM/,
    );
    assert.doesNotMatch(planValues(plan), /lmcache/i);
  });
}

test('with goals, goodput is in the first line, and a goodput too low falls short', async () => {
  const plan = await planOf({
    ...{ ...small, 'fleet.engines': 1, 'workload.concurrency': 64, 'workload.promptTokens': 1500 },
    'slo.ttftMs': 600,
  });
  const goodput = plan.impact.planned.goodput.mean;
  assert.ok(goodput > 0.2 && goodput < 0.95, `${goodput}`);
  const text = planMarkdown(plan);
  const share = roundPercent(goodput);
  assert.match(text.split('\n')[2] ?? '', new RegExp(`but it falls short\\. Goodput ${share} \\(`));
  assert.match(text, /^Falls short \(goals\): .*of the requests meet all goals/m);
  assert.equal((planJson(plan) as { meets: { goals: boolean } }).meets.goals, false);
  assert.doesNotMatch(text, /one engine gives about/, 'one engine is no alternative to one engine');
});

test('without goals no goodput is printed', async () => {
  const plan = await planOf({ ...small, 'fleet.engines': 1, 'workload.concurrency': 8 });
  const text = planMarkdown(plan);
  assert.doesNotMatch(text, /goodput/i);
  assert.match(
    text,
    /Redundant prefill without offload: .*; native avoids .* tokens\/s; LMCache avoids/,
  );
  const { impact } = planJson(plan) as { impact: { planned: { goodput: unknown } } };
  assert.equal(impact.planned.goodput, null);
});

test('on a terminal warnings give way to a plan of 30 lines, and are counted', async () => {
  const plan = await planOf({ ...small, 'workload.concurrency': 16, 'slo.ttftMs': 600 });
  const warnings = Array.from({ length: 20 }, (_, i) => `number ${i} ${'word '.repeat(30)}`);
  const options = { columns: 100, next: 'spillway plan --values plan.yaml' };
  const lines = planTerminal({ ...plan, warnings }, options)
    .trimEnd()
    .split('\n');
  assert.ok(lines.length <= 30, `${lines.length} lines`);
  assert.ok(
    lines.some((line) => /^\d+ warnings more: --markdown$/.test(line)),
    lines.join('\n'),
  );
});

test('on a terminal a plan is verdict, layout, figures with intervals, the others and the next command', async () => {
  const plan = await planOf({
    ...{ ...small, 'workload.concurrency': 16, 'workload.prefixReuse': 'rag' },
    'slo.ttftMs': 600,
  });
  for (const columns of [100, 60]) {
    const text = planTerminal(plan, { columns, next: 'spillway plan --values plan.yaml' });
    const lines = text.trimEnd().split('\n');
    assert.ok(lines.length <= (columns === 100 ? 30 : 50), `${lines.length} lines`);
    const prose = lines.filter((line) => !/^ {2}(Next|Gate)/.test(line));
    assert.ok(prose.every((line) => line.length <= columns));
    assert.match(lines[0] ?? '', /^The plan stands/);
    assert.match(text, /^ {2}engines +2 engines of 1 × H100-80GB: Qwen\/Qwen3-8B/m);
    for (const name of ['output tokens/s', 'TTFT, mean', 'TPOT, mean', 'goodput']) {
      assert.match(text, new RegExp(`^  ${name} +[\\d.,]+( m?s| %)? \\(.* to .*\\)`, 'm'));
    }
    assert.match(text, /^Not taken:\n {2}native CPU offload +[+−±][\d.]+ % tokens\/s/m);
    assert.match(text, /^ {2}Next +spillway plan --values plan\.yaml$/m);
    assert.doesNotMatch(text, /undefined|NaN/);
  }
});
