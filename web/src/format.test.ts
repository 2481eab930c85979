import assert from 'node:assert/strict';
import { test } from 'node:test';
import { count, duration, latency, percent, rate, shortUrl } from './format.ts';

test('latencies have two or three digits and their unit', () => {
  const seconds = [0.00042, 0.0084, 0.00996, 0.1234, 0.9996, 1.234, 12.34, 99.96, 1234];
  assert.deepEqual(seconds.map(latency), [
    ...['0.4 ms', '8.4 ms', '10 ms', '123 ms', '1.00 s', '1.23 s', '12.3 s', '100 s', '1234 s'],
  ]);
});

test('unknown values are a dash', () => {
  assert.deepEqual(
    [count(null), rate(undefined), percent(null), latency(null)],
    [...['–', '–', '–', '–']],
  );
});

test('counts, rates, shares and durations stay short', () => {
  assert.deepEqual([9_999, 12_345, 999_949, 1_234_567].map(count), [
    ...['9,999', '12.3k', '999.9k', '1.23M'],
  ]);
  assert.deepEqual([rate(4.56), rate(123.4)], ['4.6', '123']);
  assert.deepEqual([percent(0.256), percent(0.256, 1)], ['26%', '25.6%']);
  assert.deepEqual([duration(63), duration(3_723), duration(-1)], ['1:03', '1:02:03', '0:00']);
  assert.equal(shortUrl('https://a:1/b'), 'a:1/b');
});
