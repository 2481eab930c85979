import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Bucket, DelayQuantile } from './delay-quantile.ts';

/** Cumulative counts at 1 s, 5 s and beyond. */
const buckets = (...counts: readonly number[]): readonly Bucket[] =>
  [1, 5, Number.POSITIVE_INFINITY].map((bound, i) => ({ bound, count: counts[i] ?? 0 }));
const pages = (pods: Readonly<Record<string, readonly Bucket[]>>) => new Map(Object.entries(pods));

test('the quantile is that of what was counted since the last look, over all pods', () => {
  const p90 = new DelayQuantile(0.9);
  assert.equal(p90.add(pages({ a: buckets(1000, 1000, 1000) })), undefined);
  assert.equal(p90.add(pages({ a: buckets(1000, 1000, 1000) })), undefined, 'nothing new');
  // Ten within 1 s: nine of them within 0.9 s.
  assert.equal(p90.add(pages({ a: buckets(1010, 1010, 1010) })), 0.9);
  p90.add(pages({ a: buckets(1010, 1010, 1010), b: buckets(0, 0, 0) }));
  // Five within 1 s, five between 1 and 5: the ninth is the fourth of those five.
  const both = p90.add(pages({ a: buckets(1015, 1015, 1015), b: buckets(0, 5, 5) }));
  assert.ok(Math.abs((both ?? 0) - (1 + 4 * 0.8)) < 1e-9, `${both}`);
});

test('beyond the last bound, it is the last bound', () => {
  const p90 = new DelayQuantile(0.9);
  p90.add(pages({ a: buckets(0, 0, 0) }));
  assert.equal(p90.add(pages({ a: buckets(0, 0, 10) })), 5);
});

test('a pod that was restarted counts from 0, and one that is new from its second look', () => {
  const p90 = new DelayQuantile(0.9);
  p90.add(pages({ a: buckets(0, 0, 100) }));
  assert.equal(p90.add(pages({ a: buckets(10, 10, 10) })), 0.9);
  assert.equal(p90.add(pages({ a: buckets(10, 10, 10), b: buckets(0, 0, 50) })), undefined);
});

test('buckets of one bound are added up, as those of ranks and of models', () => {
  const p90 = new DelayQuantile(0.9);
  p90.add(pages({ a: [...buckets(0, 0, 0), ...buckets(0, 0, 0)] }));
  assert.equal(p90.add(pages({ a: [...buckets(4, 4, 4), ...buckets(6, 6, 6)] })), 0.9);
});
