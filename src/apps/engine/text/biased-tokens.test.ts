import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { biasedTokens, type TokenBias } from './biased-tokens.ts';

const plain: TokenBias = {
  logitBias: undefined,
  allowed: undefined,
  isUndecided: false,
  ends: new Set([9]),
  tokensMin: 0,
};

/** Returns 1, 2, 3, 1, 2, 3, … */
function counting(): { next(): number } {
  let at = 0;
  return { next: () => (at++ % 3) + 1 };
}

function take(count: number, bias: Partial<TokenBias>): number[] {
  const source = biasedTokens(counting(), { ...plain, ...bias });
  return Array.from({ length: count }, () => source.next([]));
}

test('a strong bias selects its token only, a weak one changes nothing', () => {
  assert.deepEqual(take(4, { logitBias: { 7: 100 } }), [7, 7, 7, 7]);
  assert.deepEqual(take(4, { logitBias: { 7: 1 } }), [1, 2, 3, 1]);
});

test('random weights follow the weakest bias', () => {
  assert.deepEqual(take(2, { logitBias: { 7: 1, 8: 0.5 }, isUndecided: true }), [7, 7]);
});

test('a banned token is never sampled', () => {
  assert.deepEqual(take(4, { logitBias: { 2: -100 } }), [1, 3, 1, 3]);
});

test('a biased end token waits for the minimum number of tokens', () => {
  const bias = { logitBias: { 9: 100, 7: 50 }, tokensMin: 2 };
  assert.deepEqual(take(3, bias), [7, 7, 9]);
  assert.deepEqual(take(3, { ...bias, logitBias: { 9: 100 } }), [1, 2, 9]);
});

test('no bias selects a token that is not allowed', () => {
  assert.deepEqual(take(2, { logitBias: { 7: 100 }, allowed: [1, 2, 3] }), [1, 2]);
});

test('the sampled token has the greatest bias', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.nat(50).map(String), fc.integer({ min: 11, max: 100 })), (all) => {
      const [winner] = take(1, { logitBias: all });
      const most = Math.max(...Object.values(all));
      assert.ok(Object.keys(all).length === 0 || all[String(winner)] === most);
    }),
  );
});
