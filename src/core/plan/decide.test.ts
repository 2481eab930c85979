import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { defaultThresholds } from '../values/index.ts';
import { decide } from './decide.ts';
import type { PlanFacts } from './facts.ts';
import { offloadKinds, prefixReuseKinds, stackKinds } from './kinds.ts';
import { rules } from './rules.ts';
import { resolveThresholds } from './thresholds.ts';

/** A fleet that every rule accepts and that gets LMCache. */
const accepted: PlanFacts = {
  promptTokens: 6000,
  concurrency: 200,
  prefixReuse: 'rag',
  sharedPrefixTokens: 4000,
  preemptionsPerMinute: 0,
  kvDemand: 1.4,
  workingSet: 1.5,
  engines: 8,
  loraAdapters: 0,
  multiTenant: true,
  kubernetes: true,
  handRolled: false,
  hbmMonitoring: true,
  needs: [],
  wants: {},
};

const decided = (changes: Partial<PlanFacts>) =>
  decide({ ...accepted, ...changes }, defaultThresholds);
const ruled = (changes: Partial<PlanFacts>): string[] => {
  const { refusals, rejects } = decided(changes);
  return [...refusals, ...rejects].map(({ rule }) => rule);
};

test('several engines that share prefixes get the production stack and LMCache, with nothing refused', () => {
  const { stack, kvOffload, refusals, rejects, stands } = decided({});
  assert.deepEqual(
    [stack, kvOffload, refusals, rejects, stands],
    ['production-stack', 'lmcache', [], [], true],
  );
});

test('no-kubernetes: the stack is refused for one engine behind a proxy', () => {
  const { stack, kvOffload, refusals, stands } = decided({ kubernetes: false });
  assert.deepEqual([stack, kvOffload, stands], ['single-engine', 'native', false]);
  assert.equal(refusals[0]?.rule, 'no-kubernetes');
  assert.match(refusals[0]?.because ?? '', /kubernetes is false/);
  assert.match(refusals[0]?.nearest ?? '', /one vLLM server behind a simple proxy/);
});

test('no-kubernetes: the plan stands if one engine was requested', () => {
  const { stack, refusals, stands } = decided({ kubernetes: false, engines: 1 });
  assert.deepEqual([stack, stands], ['single-engine', true]);
  assert.equal(refusals[0]?.wanted, false);
  assert.equal(
    decided({ kubernetes: false, engines: 1, wants: { stack: 'production-stack' } }).stands,
    false,
  );
});

test('hand-rolled: rejected where the chart covers it, and only there', () => {
  const { stack, rejects, stands } = decided({ handRolled: true });
  assert.deepEqual([stack, rejects[0]?.rule, stands], ['production-stack', 'hand-rolled', false]);
  assert.deepEqual(
    decided({ handRolled: true, kubernetes: false }).rejects,
    [],
    'without Kubernetes the chart covers nothing',
  );
});

test('hand-rolled: an own stack is the answer where the chart lacks something asked for', () => {
  const { stack, stackBecause, rejects, stands } = decided({
    ...{ handRolled: true, needs: ['tracing', 'tenant-keys', 'rate-limits'] },
  });
  assert.deepEqual([stack, rejects, stands], ['own-stack', [], true]);
  assert.match(stackBecause, /the chart has no tenant-keys, rate-limits$/);
  const split = decided({ handRolled: true, needs: ['external-providers', 'priorities'] });
  assert.match(
    split.stackBecause,
    /Spillway's chart has no external-providers, and upstream's chart no priorities$/,
  );
  const covered = decided({
    wants: { stack: 'own-stack', kvOffload: 'lmcache' },
    needs: ['tracing'],
  });
  assert.deepEqual([covered.stack, covered.stands], ['production-stack', false]);
  assert.match(
    covered.rejects[0]?.because ?? '',
    /has everything asked for: 8 engines \(modelSpec\), .*LMCache \(lmcacheConfig, cacheserverSpec\), tracing \(routerSpec\.otel\)/,
  );
  const inOne = decided({ handRolled: true, needs: ['priorities', 'scale-to-zero'] });
  assert.match(
    inOne.rejects[0]?.because ?? '',
    /priorities \(routerSpec\.admission; Spillway's chart only\)/,
  );
  assert.equal(decided({ needs: ['tenant-keys'] }).stack, 'production-stack', 'nobody builds one');
});

test('no-hbm-monitoring: rejected regardless of the rest of the input', () => {
  const { rejects, stands } = decided({ hbmMonitoring: false });
  assert.deepEqual([rejects[0]?.rule, stands], ['no-hbm-monitoring', false]);
  assert.match(rejects[0]?.nearest ?? '', /92 %/);
});

test('short-prompts-low-concurrency: below both thresholds, not at either', () => {
  const rule = 'short-prompts-low-concurrency';
  assert.ok(ruled({ promptTokens: 999, concurrency: 99 }).includes(rule));
  assert.ok(!ruled({ promptTokens: 1000, concurrency: 99 }).includes(rule));
  assert.ok(!ruled({ promptTokens: 999, concurrency: 100 }).includes(rule));
  assert.ok(!ruled({ promptTokens: 1001, concurrency: 101 }).includes(rule));
});

test('short-prompts-low-concurrency: no offload, though prefixes are shared and native is wanted', () => {
  const { kvOffload, stands } = decided({
    promptTokens: 500,
    concurrency: 20,
    wants: { kvOffload: 'native' },
  });
  assert.deepEqual([kvOffload, stands], ['none', false]);
  assert.equal(decided({ promptTokens: 500, concurrency: 20 }).stands, true);
});

test('fewer-than-two-engines: LMCache is refused for native at 1, not at 2 or 3', () => {
  const wants = { kvOffload: 'lmcache' } as const;
  const one = decided({ engines: 1, wants });
  assert.deepEqual([one.kvOffload, one.stands], ['native', false]);
  assert.equal(one.refusals[0]?.rule, 'fewer-than-two-engines');
  for (const engines of [2, 3]) {
    const more = decided({ engines, wants });
    assert.deepEqual([more.kvOffload, more.refusals, more.stands], ['lmcache', [], true]);
  }
});

test('lmcache-without-reuse-or-preemption: rejected only when wanted with neither', () => {
  const rule = 'lmcache-without-reuse-or-preemption';
  const none = { prefixReuse: 'none', sharedPrefixTokens: 0 } as const;
  const wants = { kvOffload: 'lmcache' } as const;
  const { kvOffload, rejects, stands } = decided({ ...none, wants });
  assert.deepEqual([kvOffload, rejects[0]?.rule, stands], ['native', rule, false]);
  assert.equal(decided({ ...none, wants, kvDemand: 0.3 }).kvOffload, 'none');
  assert.ok(!ruled({ ...none }).includes(rule), 'nobody wanted it');
  assert.ok(!ruled({ ...none, wants, preemptionsPerMinute: 0.1 }).includes(rule));
  assert.ok(!ruled({ ...none, wants, sharedPrefixTokens: 1 }).includes(rule));
});

test('preemption alone makes several engines an LMCache fleet', () => {
  const { kvOffload } = decided({
    prefixReuse: 'none',
    sharedPrefixTokens: 0,
    preemptionsPerMinute: 3,
  });
  assert.equal(kvOffload, 'lmcache');
});

test('nothing shared: native under pressure, none without, at the utilization of the alert', () => {
  const alone = { prefixReuse: 'none', sharedPrefixTokens: 0, multiTenant: true } as const;
  assert.equal(decided({ ...alone, kvDemand: 0.91 }).kvOffload, 'none');
  assert.equal(decided({ ...alone, kvDemand: 0.92 }).kvOffload, 'native');
  assert.equal(decided({ ...alone, kvDemand: 0.93, engines: 1 }).kvOffload, 'native');
  assert.equal(decided({ ...alone, kvDemand: 0.5, engines: 1 }).kvOffload, 'none');
});

test('a shared working set that stays in HBM gets no tier, unless requests are preempted or HBM is full', () => {
  const fits = { workingSet: 0.53, kvDemand: 0.6 };
  const { kvOffload, kvOffloadBecause, stands } = decided(fits);
  assert.deepEqual([kvOffload, stands], ['none', true]);
  assert.match(
    kvOffloadBecause,
    /working set is 53 % of HBM's KV cache.*measured at 35 % it costs 1\.5 % \(native\) or 2\.6 % \(LMCache\)$/,
  );
  assert.equal(decided({ ...fits, wants: { kvOffload: 'lmcache' } }).kvOffload, 'none');
  assert.equal(decided({ ...fits, engines: 1 }).kvOffload, 'none');
  assert.equal(decided({ ...fits, workingSet: 0.54 }).kvOffload, 'lmcache');
  assert.equal(decided({ ...fits, kvDemand: 0.92 }).kvOffload, 'lmcache');
  assert.equal(decided({ ...fits, preemptionsPerMinute: 3 }).kvOffload, 'lmcache');
});

test('one tenant with one prompt gets no LMCache', () => {
  const { kvOffload } = decided({
    ...{ prefixReuse: 'system-prompt', multiTenant: false, concurrency: 16 },
    ...{ kvDemand: 0.03, workingSet: 0.035 },
  });
  assert.equal(kvOffload, 'none');
});

test('custom thresholds apply, later sources win, and each override is named', () => {
  const { thresholds, overridden } = resolveThresholds([
    { name: 'values', given: { offloadPromptTokens: 500, offloadConcurrency: 300 } },
    { name: 'input', given: { offloadPromptTokens: 8000, lmcacheEngines: 2 } },
  ]);
  assert.equal(decide(accepted, thresholds).kvOffload, 'none');
  assert.deepEqual(overridden, [
    { threshold: 'offloadPromptTokens', value: 8000, insteadOf: 1000, by: 'input' },
    { threshold: 'offloadConcurrency', value: 300, insteadOf: 100, by: 'values' },
  ]);
  assert.deepEqual(resolveThresholds([]), { thresholds: defaultThresholds, overridden: [] });
});

test('rules apply once, in the order of the table', () => {
  assert.deepEqual(
    rules.map(({ id, kind }) => `${kind} ${id}`),
    [
      'refusal no-kubernetes',
      'reject hand-rolled',
      'reject no-hbm-monitoring',
      'refusal short-prompts-low-concurrency',
      'refusal fewer-than-two-engines',
      'reject lmcache-without-reuse-or-preemption',
    ],
  );
});

const anyFacts = fc.record({
  promptTokens: fc.integer({ min: 1, max: 20_000 }),
  concurrency: fc.integer({ min: 1, max: 1000 }),
  prefixReuse: fc.constantFrom(...prefixReuseKinds),
  sharedPrefixTokens: fc.constantFrom(0, 100, 4000),
  preemptionsPerMinute: fc.constantFrom(0, 0.5, 10),
  kvDemand: fc.double({ min: 0, max: 5, noNaN: true }),
  workingSet: fc.double({ min: 0, max: 5, noNaN: true }),
  engines: fc.integer({ min: 1, max: 16 }),
  loraAdapters: fc.nat(3),
  multiTenant: fc.boolean(),
  kubernetes: fc.boolean(),
  handRolled: fc.boolean(),
  hbmMonitoring: fc.boolean(),
  needs: fc.uniqueArray(fc.constantFrom('tracing' as const, 'tenant-keys' as const)),
  wants: fc.record({
    stack: fc.option(fc.constantFrom(...stackKinds), { nil: undefined }),
    kvOffload: fc.option(fc.constantFrom(...offloadKinds), { nil: undefined }),
  }),
});

test('no decision contradicts its own refusals', () => {
  fc.assert(
    fc.property(anyFacts, (facts) => {
      const { stack, kvOffload, refusals, rejects, stands } = decide(facts, defaultThresholds);
      const found = [...refusals, ...rejects].map(({ rule }) => rule as string);
      if (found.includes('no-kubernetes')) assert.equal(stack, 'single-engine');
      if (found.includes('short-prompts-low-concurrency')) assert.equal(kvOffload, 'none');
      if (found.includes('fewer-than-two-engines')) assert.notEqual(kvOffload, 'lmcache');
      if (found.includes('lmcache-without-reuse-or-preemption')) {
        assert.notEqual(kvOffload, 'lmcache');
      }
      if (stands) {
        assert.equal(rejects.length, 0);
        if (facts.wants.stack) assert.equal(stack, facts.wants.stack);
      }
      for (const { because, nearest } of [...refusals, ...rejects]) {
        assert.ok(because.length > 10 && nearest.length > 10);
      }
    }),
  );
});

test('a plan for the closest accepted layout stands', () => {
  fc.assert(
    fc.property(anyFacts, (facts) => {
      const first = decide(facts, defaultThresholds);
      const second = decide(
        {
          ...facts,
          engines: first.stack === 'single-engine' ? 1 : facts.engines,
          handRolled: false,
          hbmMonitoring: true,
          wants: { stack: first.stack, kvOffload: first.kvOffload },
        },
        defaultThresholds,
      );
      assert.ok(second.stands);
      assert.deepEqual([second.stack, second.kvOffload], [first.stack, first.kvOffload]);
    }),
  );
});
