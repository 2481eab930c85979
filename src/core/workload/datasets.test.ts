import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { seededRandom } from '../base/index.ts';
import { prefixRepetitionDataset, randomDataset } from './datasets.ts';
import { sendTimes } from './send-times.ts';

test('random prompts have the lengths asked for, and share only the prefix', () => {
  const lengths = { count: 20, prefixTokens: 64, inputTokens: 300, outputTokens: 40 };
  const { blockTokens, prompts } = randomDataset({ ...lengths, rangeRatio: 0 }, seededRandom(1));
  assert.equal(prompts.length, 20);
  for (const { promptTokens, outputTokens, blockIds } of prompts) {
    assert.deepEqual([promptTokens, outputTokens], [364, 40]);
    assert.equal(blockIds.length, Math.ceil(364 / blockTokens));
    assert.deepEqual(blockIds.slice(0, 4), prompts[0]?.blockIds.slice(0, 4));
  }
  const others = prompts.flatMap(({ blockIds }) => blockIds.slice(4));
  assert.equal(new Set(others).size, others.length);
});

test('a range ratio draws lengths on both sides of the mean, both ends included', () => {
  const lengths = { count: 2000, prefixTokens: 0, inputTokens: 10, outputTokens: 4 };
  const { prompts } = randomDataset({ ...lengths, rangeRatio: 0.5 }, seededRandom(1));
  const seen = (values: number[]) => [...new Set(values)].toSorted((a, b) => a - b);
  assert.deepEqual(
    seen(prompts.map(({ promptTokens }) => promptTokens)),
    [5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
  );
  assert.deepEqual(seen(prompts.map(({ outputTokens }) => outputTokens)), [2, 3, 4, 5, 6]);
});

test('repeated prefixes are used equally often, in an order that the seed decides', () => {
  const options = { count: 30, prefixes: 3, prefixTokens: 32, suffixTokens: 16, outputTokens: 8 };
  const order = (seed: number) =>
    prefixRepetitionDataset(options, seededRandom(seed)).prompts.map(({ blockIds }) => blockIds[0]);
  const groups = [...Map.groupBy(order(1), (id) => id).values()];
  assert.deepEqual(
    groups.map((group) => group.length),
    [10, 10, 10],
  );
  assert.deepEqual(order(1), order(1));
  assert.notDeepEqual(order(1), order(2));
});

test('send times ascend, and the last one is count / rate whatever the burstiness', () => {
  fc.assert(
    fc.property(
      fc.double({ min: 0.1, max: 100, noNaN: true }),
      fc.constantFrom(0.25, 1, 3, Number.POSITIVE_INFINITY),
      fc.integer({ min: 1, max: 200 }),
      fc.integer(),
      (rate, burstiness, count, seed) => {
        const times = sendTimes({ rate, burstiness }, count, seededRandom(seed));
        assert.equal(times.length, count);
        assert.deepEqual(
          times,
          times.toSorted((a, b) => a - b),
        );
        assert.ok(Math.abs((times.at(-1) as number) - count / rate) < 1e-6 * (count / rate));
      },
    ),
  );
});

test('an infinite rate sends all at once, an infinite burstiness at even gaps', () => {
  const infinite = Number.POSITIVE_INFINITY;
  const random = seededRandom(1);
  assert.deepEqual(sendTimes({ rate: infinite, burstiness: 1 }, 3, random), [0, 0, 0]);
  assert.deepEqual(sendTimes({ rate: 2, burstiness: infinite }, 4, random), [0.5, 1, 1.5, 2]);
});

test('gaps of Poisson arrivals vary as much as their mean, those of burstiness 0.25 twice as much', () => {
  const variation = (burstiness: number) => {
    const times = sendTimes({ rate: 10, burstiness }, 50_000, seededRandom(3));
    const gaps = times.map((at, i) => at - (times[i - 1] ?? 0));
    const mean = gaps.reduce((sum, gap) => sum + gap, 0) / gaps.length;
    const square = gaps.reduce((sum, gap) => sum + (gap - mean) ** 2, 0) / gaps.length;
    return Math.sqrt(square) / mean;
  };
  assert.ok(Math.abs(variation(1) - 1) < 0.03);
  assert.ok(Math.abs(variation(0.25) - 2) < 0.1);
});

test('a ramp goes from its first rate to its last', () => {
  const gaps = (strategy: 'linear' | 'exponential') => {
    const rampUp = { strategy, startRate: 1, endRate: 4 };
    const even = { rate: 0, burstiness: Number.POSITIVE_INFINITY, rampUp };
    const times = sendTimes(even, 3, seededRandom(1));
    return times.map((at, i) => Number((at - (times[i - 1] ?? 0)).toFixed(6)));
  };
  assert.deepEqual(gaps('linear'), [1, 0.4, 0.25]);
  assert.deepEqual(gaps('exponential'), [1, 0.5, 0.25]);
});
