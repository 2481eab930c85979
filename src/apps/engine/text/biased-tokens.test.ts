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

/** 1, 2, 3, 1, 2, 3, … */
function counting(): { next(): number } {
  let at = 0;
  return { next: () => (at++ % 3) + 1 };
}

function take(count: number, bias: Partial<TokenBias>): number[] {
  const source = biasedTokens(counting(), { ...plain, ...bias });
  return Array.from({ length: count }, () => source.next());
}

test('a strong bias is the only token, a weak one changes nothing', () => {
  assert.deepEqual(take(4, { logitBias: { 7: 100 } }), [7, 7, 7, 7]);
  assert.deepEqual(take(4, { logitBias: { 7: 1 } }), [1, 2, 3, 1]);
});

test('random weights follow the weakest bias', () => {
  assert.deepEqual(take(2, { logitBias: { 7: 1, 8: 0.5 }, isUndecided: true }), [7, 7]);
});

test('a banned token does not come', () => {
  assert.deepEqual(take(4, { logitBias: { 2: -100 } }), [1, 3, 1, 3]);
});

test('a biased end waits until the least number of tokens is there', () => {
  const bias = { logitBias: { 9: 100, 7: 50 }, tokensMin: 2 };
  assert.deepEqual(take(3, bias), [7, 7, 9]);
  assert.deepEqual(take(3, { ...bias, logitBias: { 9: 100 } }), [1, 2, 9]);
});

test('what is not allowed wins by no bias', () => {
  assert.deepEqual(take(2, { logitBias: { 7: 100 }, allowed: [1, 2, 3] }), [1, 2]);
});

test('the winner has the greatest bias of all', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.nat(50).map(String), fc.integer({ min: 11, max: 100 })), (all) => {
      const [winner] = take(1, { logitBias: all });
      const most = Math.max(...Object.values(all));
      assert.ok(Object.keys(all).length === 0 || all[String(winner)] === most);
    }),
  );
});
