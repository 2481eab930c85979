import assert from 'node:assert/strict';
import { test } from 'node:test';
import { latin1Text } from './latin1.ts';

test('each byte becomes the character of its code', () => {
  const bytes = Uint8Array.from({ length: 40_000 }, (_, i) => i & 255);
  const text = latin1Text(bytes);
  assert.deepEqual(new Uint8Array(Buffer.from(text, 'latin1')), bytes);
  assert.equal(latin1Text(Uint8Array.of(0x80, 0x9f, 0xff)), '\u0080\u009f\u00ff');
  assert.equal(latin1Text(new Uint8Array(0)), '');
});
