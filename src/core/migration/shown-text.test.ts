import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { jsonLength, textAfter } from './shown-text.ts';

const texts = fc.oneof(
  fc.string({ unit: 'grapheme' }),
  fc.string({ unit: fc.constantFrom('"', '\\', '\n', '\u0001', '\u007f', 'é', '€', '🙂') }),
);

test('the length of a text is that of its JSON', () => {
  fc.assert(
    fc.property(texts, (text) => {
      assert.equal(jsonLength(text), Buffer.byteLength(JSON.stringify(text)) - 2);
    }),
  );
});

test('a text is cut after a length, if a character ends there', () => {
  fc.assert(
    fc.property(texts, texts, (first, second) => {
      assert.equal(textAfter(first + second, jsonLength(first)), second);
    }),
  );
  assert.equal(textAfter('a€', 2), undefined);
  assert.equal(textAfter('a', 2), undefined);
});
