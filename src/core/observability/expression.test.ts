import assert from 'node:assert/strict';
import { test } from 'node:test';
import { filledIn, metricNames } from './expression.ts';

const named: readonly (readonly [string, readonly string[]])[] = [
  ['up', ['up']],
  ['sum by (le, pod) (rate(vllm:x_bucket{pod="up", a=~"b.*"}[5m])) > 1e6', ['vllm:x_bucket']],
  ['0.92 - max(a{b="c}{"}) or vector(0)', ['a']],
  ['a / on (pod) group_left () b unless c offset 1h', ['a', 'b', 'c']],
  ['time() - max by (pod) (process_start_time_seconds)', ['process_start_time_seconds']],
  ['a + a', ['a']],
  ['a * $gpu_price', ['a']],
];
for (const [expression, names] of named) {
  test(`${expression} reads ${names.join(', ')}`, () => {
    assert.deepEqual(metricNames(expression), names);
  });
}

test('variables of a dashboard get their values, and the others match everything', () => {
  const expression = 'rate(a{n=~"$namespace"}[$__rate_interval]) * $gpu_price';
  assert.equal(
    filledIn(expression, { rateInterval: '1m', values: { gpu_price: '2' } }),
    'rate(a{n=~".*"}[1m]) * 2',
  );
});
