import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findModel } from '../catalogue/models.ts';
import type { StepLoad } from '../contract.ts';
import { gridOf, samplesOf } from './interpolation.ts';
import type { StepProfile } from './profile.ts';
import { profileCost } from './profile-cost.ts';

const model = { ...findModel('opt-125m'), layers: 1 };

function decodes(sequences: number, context: number): StepLoad {
  return {
    ...{ sequences, tokens: sequences, decodeSequences: sequences },
    decodeContextTokens: sequences * context,
    ...{ prefillTokens: 0, prefillTokenContext: 0, prefillTokensSquared: 0 },
  };
}

/** Nothing takes time but attention, and the given dense operations. */
function microsecondsOf(
  load: StepLoad,
  dense: StepProfile['dense'] = new Map([['mlp', samplesOf([[1, 0]])]]),
): number {
  const attention = gridOf(
    [1, 2, 4].flatMap((n) => [0, 100, 200].map((context) => [0, n, 0, context, 10 * n + context])),
  );
  const perSequence = new Map([['sampler', samplesOf([[1, 0]])]]);
  const profile = { attention, dense, perSequence, experts: undefined };
  return 1e6 * profileCost({ profile, model }).stepSeconds(load);
}

const near = (actual: number, expected: number) =>
  assert.ok(Math.abs(actual - expected) < 1e-9, `${actual} instead of ${expected}`);

test('the attention of decodes is looked up at their number and their mean context', () => {
  near(microsecondsOf(decodes(1, 50)), 10 + 50);
  near(microsecondsOf(decodes(2, 50)), 20 + 50);
  near(microsecondsOf(decodes(3, 150)), 30 + 150);
});

test('operations that were measured at different numbers of tokens add up at each number', () => {
  const dense = new Map([
    [
      'mlp',
      samplesOf([
        [1, 10],
        [9, 90],
      ]),
    ],
    [
      'qkv_proj',
      samplesOf([
        [1, 1],
        [5, 5],
        [7, 107],
        [9, 9],
      ]),
    ],
  ]);
  for (const [tokens, qkv] of [
    [1, 1],
    [3, 3],
    [5, 5],
    [6, 56],
    [7, 107],
    [8, 58],
  ] as const) {
    const attention = microsecondsOf(decodes(tokens, 0));
    near(microsecondsOf(decodes(tokens, 0), dense), attention + 10 * tokens + qkv);
  }
});
