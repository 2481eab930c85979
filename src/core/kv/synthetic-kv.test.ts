import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { syntheticKv } from './synthetic-kv.ts';

test('a value that is read in pieces has the bytes that it was written with', () => {
  fc.assert(
    fc.property(fc.string(), fc.nat(300), fc.nat(300), fc.nat(7), (name, at, length, shift) => {
      const whole = new Uint8Array(600);
      syntheticKv(name).fill(whole, 0);
      const piece = new Uint8Array(600 + shift).subarray(shift, shift + length);
      syntheticKv(name).fill(piece, at);
      assert.deepEqual(piece, whole.slice(at, at + length));
      assert.ok(syntheticKv(name).matches(piece, at));
    }),
  );
});

test('each changed byte, another offset and another name are noticed', () => {
  const bytes = new Uint8Array(64);
  const value = syntheticKv('chunk 7');
  value.fill(bytes, 3);
  for (let i = 0; i < bytes.length; i++) {
    const changed = bytes.slice();
    changed[i] = (changed[i] as number) ^ 1;
    assert.ok(!value.matches(changed, 3), `byte ${i}`);
  }
  assert.ok(!value.matches(bytes, 7));
  assert.ok(!syntheticKv('chunk 8').matches(bytes, 3));
});
