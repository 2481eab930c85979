// The line and the JSON of redundant prefill.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { redundantPrefillJson, redundantPrefillLines } from './index.ts';

const engines = [
  { computedTokens: 3_000, recomputedAfterPreemption: 1_000, recomputedAfterEviction: 800 },
  { computedTokens: 4_000, recomputedAfterPreemption: 0, recomputedAfterEviction: undefined },
];

test('redundant prefill is summed over the engines, as a share of all tokens computed', () => {
  assert.deepEqual(redundantPrefillLines(engines), [
    'Redundant prefill: 1,800 tokens were computed again (800 after evictions, 1,000 after preemptions), 22.5 % of those computed.',
  ]);
  assert.deepEqual(redundantPrefillJson(engines), {
    ...{ after_preemption: 1_000, after_eviction: 800, share: 0.225 },
  });
});

test('where nothing was computed again, the text has no line and the JSON has zeros', () => {
  const none = { computedTokens: 0, recomputedAfterPreemption: 0, recomputedAfterEviction: 0 };
  assert.deepEqual(redundantPrefillLines([none]), []);
  assert.deepEqual(redundantPrefillJson([none]), {
    ...{ after_preemption: 0, after_eviction: 0, share: 0 },
  });
});
