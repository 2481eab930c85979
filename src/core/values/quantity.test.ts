import assert from 'node:assert/strict';
import { test } from 'node:test';
import { quantityValue } from './quantity.ts';

test('a quantity is its number times its suffix, a power of ten or of two', () => {
  const table: [unknown, number][] = [
    [2, 2],
    ['2', 2],
    ['500m', 0.5],
    ['1.5k', 1500],
    ['16Gi', 16 * 2 ** 30],
    ['16G', 16e9],
    ['3Ei', 3 * 2 ** 60],
    ['1e3', 1000],
    ['2E-1', 0.2],
    ['1E', 1e18],
  ];
  for (const [quantity, expected] of table) {
    assert.equal(quantityValue(quantity), expected, String(quantity));
  }
});

test('returns undefined for text that is not a quantity', () => {
  const others = ['', 'many', '1.2.3', '5X', '5ki', 'Gi', '-1', '{{ .Values.memory }}', true, null];
  for (const other of others) assert.equal(quantityValue(other), undefined, String(other));
});
