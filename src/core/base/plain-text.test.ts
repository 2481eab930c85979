// What a terminal gets of texts that others wrote.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { plainLine, plainText } from './plain-text.ts';

test('control characters and marks of direction are written, line ends and tabs stay', () => {
  assert.equal(
    plainText('a\u001b[31m\u0007\u009b\u007f\u202eb\n\tc\r'),
    'a\\u001b[31m\\u0007\\u009b\\u007f\\u202eb\n\tc\\u000d',
  );
  assert.equal(plainText('Zürich, 東京 🙂'), 'Zürich, 東京 🙂');
  assert.equal(plainLine('q\n[up] fake'), 'q\\n[up] fake');
});

test('JSON stays the same JSON', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const json = JSON.stringify({ text });
      assert.deepEqual(JSON.parse(plainText(json)), { text });
      assert.doesNotMatch(plainLine(json), /\p{Cc}/u);
    }),
  );
});
