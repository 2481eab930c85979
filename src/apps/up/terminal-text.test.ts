import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  count,
  cut,
  duration,
  latency,
  pad,
  percent,
  printable,
  sparkline,
} from './terminal-text.ts';

test('counts have thousands and millions in short', () => {
  assert.deepEqual([9999, 10_000, 12_345, 999_949, 999_950, 1e10].map(count), [
    ...['9999', '10.0k', '12.3k', '999.9k', '1.00M', '10000.00M'],
  ]);
});

test('durations have hours only if there are some, and no fractions', () => {
  assert.deepEqual([0, 59.9, 60, 3599, 3600, 7200, 36_061].map(duration), [
    ...['0:00', '0:59', '1:00', '59:59', '1:00:00', '2:00:00', '10:01:01'],
  ]);
});

test('latencies have three digits in milliseconds or seconds', () => {
  assert.deepEqual([0.0084, 0.009949, 0.00995, 0.1234, 0.99949].map(latency), [
    ...['8.4ms', '9.9ms', '10ms', '123ms', '999ms'],
  ]);
  assert.deepEqual([0.9995, 1.234, 9.9949, 9.995, 12.34, 99.949, 99.95, 123.4].map(latency), [
    ...['1.00s', '1.23s', '9.99s', '10.0s', '12.3s', '99.9s', '100s', '123s'],
  ]);
});

test('shares are percentages', () => {
  assert.deepEqual([percent(0.333), percent(0.333, 1), percent(1)], ['33%', '33.3%', '100%']);
});

test('texts are padded and cut to a width', () => {
  assert.deepEqual([pad('ab', 4, 'left'), pad('ab', 4, 'right')], ['ab  ', '  ab']);
  assert.deepEqual(
    [5, 4, 3, 1, 0].map((width) => cut('abcde', width)),
    [...['abcde', 'abc…', 'ab…', '…', '…']],
  );
});

test('text from outside has no control characters', () => {
  assert.equal(printable('a\tb\x00c\x1b[2Jd\x1b]0;title\x07e\x1b]8;;x\x1b\\f\x9bg'), 'a  bcdefg');
});

test('a sparkline has a bar for each eighth, and is full at the top', () => {
  const eighths = Array.from({ length: 9 }, (_, i) => i / 8);
  assert.equal(sparkline(eighths, 9, 1), '▁▂▃▄▅▆▇██');
  assert.equal(sparkline([0, 1, 2, 3], 4, 2), '▁▅██');
  assert.equal(sparkline([0.12, 0.24], 2, 1), '▁▂');
});

test('a sparkline shows the highest of several values in a cell, counted from the right', () => {
  assert.equal(sparkline([1, 0, 0.5, 0, 0.25], 3, 1), '█▅▃');
  assert.equal(sparkline([1, null, null, 0], 2, 1), '█▁');
  assert.equal(sparkline([1, null, null, null, 0, 0], 3, 1), '█ ▁');
  assert.equal(sparkline([1, 0], 1, 1), '█');
  assert.equal(sparkline([0, 1], 0, 1), '');
  assert.equal(sparkline([1], 5, 1), '█');
  assert.equal(sparkline([], 5, 1), '');
});
