// The set of evicted keys holds what a plain set holds.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { BlockKey } from '../kv/index.ts';
import { EvictedKeys } from './evicted-keys.ts';

test('keys of any kind are found after they were added, and no others', () => {
  const key: fc.Arbitrary<BlockKey> = fc.oneof(
    fc.integer({ min: -70, max: 70 }),
    fc.constantFrom(2 ** 40, 2 ** 40 + 1, 2 ** 31, -(2 ** 31) - 1, -(2 ** 45), 'a', 'b', 7n),
  );
  const action = fc.record({ key, adds: fc.boolean() });
  fc.assert(
    fc.property(fc.array(action, { maxLength: 200 }), (actions) => {
      const keys = new EvictedKeys();
      const plain = new Set<BlockKey>();
      for (const { key, adds } of actions) {
        assert.equal(keys.has(key), plain.has(key));
        if (adds) {
          keys.add(key);
          plain.add(key);
        }
        assert.equal(keys.size, plain.size);
      }
      for (const { key } of actions) assert.equal(keys.has(key), plain.has(key));
    }),
  );
});
