import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { CachedBlocks } from './cached-blocks.ts';
import type { BlockKey } from './index.ts';

test('a lookup finds the block that has had the key longest, whatever is cached and dropped', () => {
  const key = fc.oneof(
    fc.integer({ min: -40, max: 40 }),
    fc.constantFrom(2 ** 40, 2 ** 40 + 1, -(2 ** 45), 'a', 'b', 7n),
  );
  const action = fc.record({ block: fc.integer({ min: 1, max: 16 }), key });
  fc.assert(
    fc.property(fc.array(action, { maxLength: 120 }), (actions) => {
      const cached = new CachedBlocks(17);
      /** Oldest first. */
      let plain: { readonly key: BlockKey; readonly block: number }[] = [];
      const found = (asked: BlockKey) => plain.find((one) => one.key === asked)?.block;
      for (const { block, key } of actions) {
        const held = plain.find((one) => one.block === block);
        if (held === undefined) {
          cached.add(key, block);
          plain.push({ key, block });
        } else {
          const before = found(held.key);
          plain = plain.filter((one) => one !== held);
          const after = found(held.key);
          assert.equal(cached.delete(block), after !== undefined && after !== before);
        }
        assert.equal(cached.keyOf(block), plain.find((one) => one.block === block)?.key);
        for (const { key: asked } of actions) assert.equal(cached.get(asked), found(asked));
      }
      cached.clear();
      for (const { key } of actions) assert.equal(cached.get(key), undefined);
    }),
  );
});
