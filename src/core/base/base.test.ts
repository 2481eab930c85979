import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  Histogram,
  LruMap,
  ManualClock,
  RingBuffer,
  randomExponential,
  seededRandom,
  shuffled,
  withoutUndefined,
} from './index.ts';

test('a manual clock moves only forward', () => {
  const clock = new ManualClock();
  clock.advance(0.5);
  clock.advanceTo(0.2);
  assert.equal(clock.nowSeconds(), 0.5);
  assert.throws(() => clock.advance(-1), RangeError);
});

test('one seed gives one sequence, two seeds give two', () => {
  const draw = (seed: number) => Array.from({ length: 5 }, seededRandom(seed).next);
  assert.deepEqual(draw(7), draw(7));
  assert.notDeepEqual(draw(7), draw(8));
});

test('random numbers are uniform in [0, 1) and exponential gaps have their mean', () => {
  const random = seededRandom(1);
  const draws = Array.from({ length: 20_000 }, random.next);
  assert.ok(draws.every((x) => x >= 0 && x < 1));
  const mean = draws.reduce((a, b) => a + b) / draws.length;
  assert.ok(Math.abs(mean - 0.5) < 0.01, `mean ${mean}`);
  const gaps = Array.from({ length: 20_000 }, () => randomExponential(random, 3));
  const gapMean = gaps.reduce((a, b) => a + b) / gaps.length;
  assert.ok(Math.abs(gapMean - 3) < 0.1, `mean gap ${gapMean}`);
});

test('a full LRU map evicts the least recently used entry and reports it', () => {
  const evicted: string[] = [];
  const map = new LruMap<string, number>({ entriesMax: 2, onEvict: (key) => evicted.push(key) });
  map.set('a', 1).set('b', 2);
  map.get('a');
  map.set('c', 3);
  assert.deepEqual(
    [...map.entries()],
    [
      ['a', 1],
      ['c', 3],
    ],
  );
  assert.deepEqual(evicted, ['b']);
});

test('a ring buffer keeps the last items in order', () => {
  fc.assert(
    fc.property(fc.array(fc.integer()), fc.integer({ min: 1, max: 10 }), (items, itemsMax) => {
      const buffer = new RingBuffer<number>({ itemsMax });
      for (const item of items) buffer.push(item);
      assert.deepEqual([...buffer], items.slice(-itemsMax));
    }),
  );
});

test('a histogram counts a value in the first bucket whose bound is at least the value', () => {
  const histogram = new Histogram([0.1, 0.5, 1]);
  for (const value of [0.05, 0.1, 0.5, 0.7, 3]) histogram.observe(value);
  assert.deepEqual(histogram.cumulative(), [2, 3, 4, 5]);
  assert.equal(histogram.count, 5);
  assert.ok(Math.abs(histogram.sum - 4.35) < 1e-12);
});

test('items are shuffled by the seed, and none is lost', () => {
  const items = ['a', 'b', 'c', 'd', 'e', 'f'];
  const mixed = shuffled(items, seededRandom(1));
  assert.deepEqual(mixed, shuffled(items, seededRandom(1)));
  assert.notDeepEqual(mixed, items);
  assert.deepEqual(mixed.toSorted(), items);
});

test('fields that are undefined leave the default alone, and null does not', () => {
  assert.deepEqual(withoutUndefined({ port: undefined, host: null, path: '' }), {
    ...{ host: null, path: '' },
  });
});
