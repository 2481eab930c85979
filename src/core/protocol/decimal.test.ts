import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decimalAt } from './decimal.ts';

const read = (text: string) => {
  const bytes = new TextEncoder().encode(`{"}${text} 1`);
  return decimalAt(bytes, 3, bytes.length - 2);
};

test('a number is read as Number reads its text', () => {
  const texts = ['0', '3.0', '0.25', '.5', '5.', '123456789012345.0', '1234567890123456.7', '-1.5'];
  for (const text of [...texts, '1.795577647e+09', '1e-05', '0.000000000000001', 'Infinity']) {
    assert.equal(read(text), Number(text), text);
  }
});

test('what is not a number is NaN', () => {
  for (const text of ['', '.', '1.2.3', '+Inf', 'NaN', '1x', '--1']) {
    assert.ok(Number.isNaN(read(text)), text);
  }
});

test('any number is read exactly', () => {
  fc.assert(fc.property(fc.double({ noNaN: true }), (value) => read(`${value}`) === value));
  const parts = fc.tuple(fc.nat(999_999_999), fc.nat(9_999_999));
  fc.assert(
    fc.property(parts, ([whole, rest]) => {
      assert.equal(read(`${whole}.${rest}`), Number(`${whole}.${rest}`));
    }),
  );
});
