import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Random, seededRandom } from '../base/index.ts';
import type { RequestRecord } from '../stats/index.ts';
import { type BlockPair, blockOf, compareBlocks, comparedLatenciesOf } from './comparison.ts';
import { fisherP, holmAdjusted, pairsMinFor, pairsNeeded, signFlipP } from './paired-test.ts';

const limits = { detect: 0.1, tolerance: 0.02 };

function request(seconds: number, error?: string): RequestRecord {
  return {
    scheduledSeconds: 0,
    sentSeconds: 0,
    chunkSeconds: [seconds / 4, seconds],
    promptTokens: 10,
    outputTokens: 4,
    cachedTokens: undefined,
    engine: undefined,
    error: error === undefined ? undefined : { kind: error, message: error },
  };
}

/** Pairs whose latencies vary by `noise`; those of B are `factor` times as long. */
function pairsOf(count: number, factor: number, noise: number, random: Random): BlockPair[] {
  const block = (scale: number) => {
    const records = Array.from({ length: 5 }, () =>
      request(scale * (1 + noise * (random.next() - 0.5))),
    );
    return blockOf(records.map(comparedLatenciesOf), 5);
  };
  return Array.from({ length: count }, () => ({ a: block(1), b: block(factor) }));
}

const verdictOf = (pairs: readonly BlockPair[]) => compareBlocks(pairs, limits, seededRandom(1));

test('a slower server is worse, a faster one better, with the ratio inside its interval', () => {
  for (const [factor, verdict] of [
    [1.3, 'worse'],
    [0.7, 'better'],
  ] as const) {
    const comparison = verdictOf(pairsOf(12, factor, 0.2, seededRandom(2)));
    assert.equal(comparison.verdict, verdict);
    const { low, ratio, high, p } = comparison.latencies.e2el ?? assert.fail();
    assert.ok(low < ratio && ratio < high && low < factor && factor < high, `${low} ${high}`);
    assert.ok(p <= 0.05);
  }
});

test('equal servers differ by no more than the interval', () => {
  const { verdict, reason, warnings } = verdictOf(pairsOf(12, 1, 0.1, seededRandom(2)));
  assert.equal(verdict, 'no difference');
  assert.match(reason, /^The end-to-end latency differs by no more than \d\.\d %\.$/);
  assert.deepEqual(warnings, []);
});

test('a difference below the tolerance does not matter, however certain it is', () => {
  const { verdict, latencies } = verdictOf(pairsOf(12, 1.01, 0.001, seededRandom(2)));
  assert.equal(verdict, 'no difference');
  assert.ok((latencies.e2el?.p ?? 1) < 0.05);
});

test('too much noise, and too few pairs, are not enough data, with what is needed', () => {
  const noisy = verdictOf(pairsOf(8, 1, 1.9, seededRandom(4)));
  assert.equal(noisy.verdict, 'not enough data');
  assert.match(noisy.reason, /that takes about \d+ pairs of blocks instead of 8\.$/);
  const one = verdictOf(pairsOf(1, 2, 0.1, seededRandom(4)));
  assert.match(one.reason, /^1 pair of blocks has complete/);
  const few = verdictOf(pairsOf(7, 2, 0.1, seededRandom(4)));
  assert.equal(few.verdict, 'not enough data');
  assert.equal(
    few.reason,
    '7 pairs of blocks have complete responses of both servers; a verdict needs 8.',
  );
});

test('a server that fails requests is worse, even if no response is left to compare', () => {
  const failing = blockOf(
    [1, 2, 3, 4, 5].map(() => comparedLatenciesOf(request(1, 'http_500'))),
    5,
  );
  const pairs = pairsOf(8, 1, 0.1, seededRandom(3)).map(({ a }) => ({ a, b: failing }));
  const { verdict, reason, latencies } = verdictOf(pairs);
  assert.deepEqual([verdict, reason], ['worse', 'B fails 100 % of requests, A 0.0 %.']);
  assert.equal(latencies.ttft, undefined);
});

test('unequal samples and a trend are said', () => {
  const shortened = pairsOf(12, 1, 0.1, seededRandom(3)).map(({ a, b }) => ({
    a,
    b: { ...b, sent: 2 },
  }));
  assert.match(verdictOf(shortened).warnings[0] ?? '', /^A got 60 of 60 requests, B 24 of 60/);
  const random = seededRandom(3);
  const trend = Array.from({ length: 16 }, (_, i) => pairsOf(1, 1 + i * 0.05, 0.02, random)).flat();
  assert.match(verdictOf(trend).warnings[0] ?? '', /^The ratio of B to A changed during the run/);
});

test('a block has the means of its complete responses, from when they were due', () => {
  const late = { ...request(4), scheduledSeconds: 1, sentSeconds: 2 };
  const records = [late, request(2), request(9, 'timeout')];
  assert.deepEqual(blockOf(records.map(comparedLatenciesOf), 4), {
    ...{ planned: 4, sent: 3, failed: 1 },
    means: {
      ttft: 1000 * ((0 + 0.5) / 2),
      tpot: 1000 * ((1 + 0.5) / 2),
      e2el: 1000 * ((3 + 2) / 2),
    },
  });
  assert.deepEqual(blockOf([undefined], 1).means, {
    ...{ ttft: undefined, tpot: undefined, e2el: undefined },
  });
});

test('swapping the servers inverts the ratio and keeps the significance', () => {
  fc.assert(
    fc.property(fc.integer(), fc.double({ min: 0.5, max: 2, noNaN: true }), (seed, factor) => {
      const pairs = pairsOf(8, factor, 0.5, seededRandom(seed));
      const there = verdictOf(pairs).latencies.e2el ?? assert.fail();
      const back = verdictOf(pairs.map(({ a, b }) => ({ a: b, b: a }))).latencies.e2el;
      assert.ok(Math.abs(there.ratio * (back?.ratio ?? 0) - 1) < 1e-9);
      assert.equal(there.p, back?.p);
    }),
    { numRuns: 30 },
  );
});

test('the sign-flip test counts the patterns that are as far from 0', () => {
  const random = seededRandom(1);
  assert.equal(signFlipP([1, 1, 1, 1], random), 2 / 16);
  assert.equal(signFlipP([1, -1], random), 1);
  // Patterns of ±1 ±2 ±3: |6| twice, |4| twice, |2| twice, 0 twice.
  assert.equal(signFlipP([1, 2, -3], random), 1);
  assert.equal(signFlipP([-1, 2, 3], random), 4 / 8);
  assert.equal(signFlipP([], random), 1);
});

test('drawn patterns approximate all patterns', () => {
  const differences = Array.from({ length: 20 }, (_, i) => Math.sin(i) + 0.25);
  const p = signFlipP(differences, seededRandom(5));
  assert.ok(Math.abs(p - exactP(differences)) < 0.02, `${p}`);
});

function exactP(differences: readonly number[]): number {
  const observed = Math.abs(differences.reduce((sum, value) => sum + value, 0)) * (1 - 1e-9);
  // By halves: the sums of each half's patterns, then all pairs of sums.
  const sumsOf = (values: readonly number[]) =>
    values.reduce((sums, value) => sums.flatMap((sum) => [sum + value, sum - value]), [0]);
  const [left, right] = [sumsOf(differences.slice(0, 10)), sumsOf(differences.slice(10))];
  let far = 0;
  for (const x of left) for (const y of right) if (Math.abs(x + y) >= observed) far++;
  return far / 2 ** 20;
}

test('Fisher’s exact test has the values of its definition', () => {
  // 1 of 9 against 11 of 3 in the tea-tasting form: R's fisher.test(matrix(c(1,9,11,3),2)) is 0.002759.
  assert.ok(Math.abs(fisherP([1, 11], [10, 14]) - 0.002759) < 1e-6);
  assert.equal(fisherP([0, 0], [10, 10]), 1);
  assert.ok(Math.abs(fisherP([3, 1], [4, 4]) - 0.4857143) < 1e-6);
});

test('Holm’s correction multiplies the smallest value most, and keeps their order', () => {
  const adjusted = holmAdjusted([0.04, 0.01, 0.03]).map((p) => Number(p.toFixed(6)));
  assert.deepEqual(adjusted, [0.06, 0.03, 0.06]);
  assert.deepEqual(holmAdjusted([0.9, 0.8]), [1, 1]);
});

test('more noise and smaller effects take more pairs, and never fewer than can be significant', () => {
  assert.equal(pairsMinFor(1), 6);
  assert.equal(pairsMinFor(4), 8);
  assert.equal(pairsNeeded([0.3, 0.3, 0.3], 0.1, 4), 8);
  /** Differences with a standard deviation of 0.2. */
  const spread = (count: number) =>
    Array.from({ length: count }, (_, i) => (i % 2 ? 0.2 : -0.2) * Math.sqrt(1 - 1 / count));
  // Chi-square of 7 below which 20 % are is 3.82 by the tables: the spread may be 0.2 · √(7 / 3.82) = 0.2706, and
  // ((2.4977 + 0.8416) · 0.2706 / 0.1)² + 2.4977² / 2 = 84.8; by the approximation 0.3 % less.
  assert.ok(Math.abs(pairsNeeded(spread(8), 0.1, 4) - 85) <= 1);
  // For many pairs it is ((2.4977 + 0.8416) · 0.2 / 0.1)² + 2.4977² / 2 = 47.7.
  assert.ok([48, 49].includes(pairsNeeded(spread(10_000), 0.1, 4)));
  assert.ok(pairsNeeded(spread(8), 0.05, 4) > pairsNeeded(spread(8), 0.1, 4));
});
