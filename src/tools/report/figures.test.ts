import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  count,
  dollars,
  duration,
  gigabytes,
  milliseconds,
  number,
  percent,
  roundChange,
  roundPercent,
  signedPercent,
} from './index.ts';

test('counts have separators', () => {
  assert.equal(count(1234567.8), '1,234,568');
});

test('numbers keep about two digits', () => {
  assert.deepEqual([1234.5, 12.34, 9.96, 1.24, 0.128, 0, -3.14].map(number), [
    '1,235',
    '12',
    '10',
    '1.2',
    '0.13',
    '0',
    '-3.1',
  ]);
});

test('shares are percentages with fixed digits, or as many as a number has', () => {
  assert.deepEqual(
    [percent(0.2137), percent(0.2137, 0), percent(1)],
    ['21.4 %', '21 %', '100.0 %'],
  );
  assert.deepEqual(
    [roundPercent(0.2137), roundPercent(0.0213), roundPercent(0)],
    ['21 %', '2.1 %', '0 %'],
  );
});

test('changes have their sign', () => {
  assert.deepEqual([signedPercent(0.05), signedPercent(-0.05)], ['+5.0 %', '-5.0 %']);
  assert.deepEqual(
    [roundChange(0.2137), roundChange(-0.2137), roundChange(0.0001)],
    ['+21 %', '−21 %', '±0 %'],
  );
});

test('durations take the largest unit that is whole or fits twice', () => {
  assert.deepEqual([7.25, 60, 90, 119, 120, 3600, 5400, 86_400, 604_800].map(duration), [
    '7.3s',
    '1m',
    '90s',
    '119s',
    '2m',
    '1h',
    '90m',
    '1d',
    '7d',
  ]);
  assert.deepEqual([999, 1234.5, 9_999, 12_345].map(milliseconds), [
    '999 ms',
    '1,235 ms',
    '9,999 ms',
    '12 s',
  ]);
});

test('bytes and money', () => {
  assert.deepEqual([gigabytes(8e10), gigabytes(1.5e9)], ['80 GB', '1.5 GB']);
  assert.deepEqual([dollars(2.5), dollars(undefined)], ['$2.50', 'price unknown']);
});
