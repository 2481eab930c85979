import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { LogHistogram, SlidingHistogram } from './index.ts';

const buckets = { min: 0.001, octaves: 20 };
const values = fc.array(fc.double({ min: 0.0011, max: 1000, noNaN: true }), { minLength: 1 });
const shares = fc.double({ min: 0.01, max: 1, noNaN: true });

function histogramOf(list: readonly number[]): LogHistogram {
  const histogram = new LogHistogram(buckets);
  for (const value of list) histogram.add(value);
  return histogram;
}

test('a quantile is within one bucket, 9 %, of the exact one', () => {
  fc.assert(
    fc.property(values, shares, (list, share) => {
      const sorted = list.toSorted((a, b) => a - b);
      const exact = sorted[Math.ceil(share * sorted.length) - 1] ?? NaN;
      const found = histogramOf(list).quantile(share) ?? NaN;
      assert.ok(Math.abs(Math.log2(found / exact)) <= 1 / 8 + 1e-9, `${found} for ${exact}`);
    }),
  );
});

test('merged histograms equal the histogram of all values, and merging can be undone', () => {
  fc.assert(
    fc.property(values, values, shares, (one, other, share) => {
      const merged = histogramOf(one);
      merged.merge(histogramOf(other));
      assert.equal(merged.count, one.length + other.length);
      assert.equal(merged.quantile(share), histogramOf([...one, ...other]).quantile(share));
      merged.unmerge(histogramOf(other));
      assert.equal(merged.quantile(share), histogramOf(one).quantile(share));
    }),
  );
});

test('values outside the range count in the first and the last bucket', () => {
  const histogram = histogramOf([0, -1, Number.NaN, 1e-9, 1e9, Number.POSITIVE_INFINITY]);
  assert.equal(histogram.count, 6);
  assert.ok((histogram.quantile(0.5) ?? 1) < 0.0011);
  assert.ok((histogram.quantile(1) ?? 0) > 950);
});

test('an empty histogram has no quantile, and different buckets do not merge', () => {
  const histogram = new LogHistogram(buckets);
  assert.equal(histogram.quantile(0.5), undefined);
  assert.throws(
    () => histogram.merge(new LogHistogram({ min: 0.001, octaves: 21 })),
    /same buckets/,
  );
});

test('a sliding histogram has only the values of its window', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(30), fc.integer({ min: 1, max: 900 }))), (steps) => {
      const window = new SlidingHistogram({ buckets, sliceSeconds: 10, slices: 3 });
      const added: (readonly [number, number])[] = [];
      let now = 0;
      for (const [passed, value] of steps) {
        now += passed;
        window.add(value, now);
        added.push([now, value]);
        const first = (Math.floor(now / 10) - 2) * 10;
        const expected = histogramOf(added.filter(([at]) => at >= first).map(([, v]) => v));
        assert.equal(window.at(now).count, expected.count);
        assert.equal(window.at(now).quantile(0.9), expected.quantile(0.9));
      }
      assert.equal(window.at(now + 30).count, 0);
    }),
  );
});

test('keeps its counts when the clock goes back', () => {
  const window = new SlidingHistogram({ buckets, sliceSeconds: 10, slices: 3 });
  window.add(1, 100);
  window.add(1, 85);
  assert.equal(window.at(100).count, 2);
});
