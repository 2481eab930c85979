import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { BlockKey } from './index.ts';
import { OldestBlocks } from './oldest-blocks.ts';

test('whatever keys come and go, it finds what a Map finds', () => {
  const key = fc.oneof(
    fc.integer({ min: -40, max: 40 }),
    fc.constantFrom(2 ** 40, 2 ** 40 + 1, -(2 ** 45), 'a', 'b', 7n),
  );
  const action = fc.record({ kind: fc.constantFrom('add', 'drop', 'give'), key });
  fc.assert(
    fc.property(fc.array(action, { maxLength: 120 }), (actions) => {
      const keys: (BlockKey | undefined)[] = new Array(17).fill(undefined);
      const table = new OldestBlocks(keys);
      const map = new Map<BlockKey, number>();
      for (const { kind, key } of actions) {
        const free = keys.findIndex((held, block) => block > 0 && held === undefined);
        const holder = map.get(key);
        if (kind === 'add' && holder === undefined && free > 0) {
          keys[free] = key;
          table.add(key, free);
          map.set(key, free);
        } else if (kind === 'drop' && holder !== undefined) {
          table.delete(key, holder);
          keys[holder] = undefined;
          map.delete(key);
        } else if (kind === 'give' && holder !== undefined && free > 0) {
          keys[free] = key;
          table.replace(key, holder, free);
          keys[holder] = undefined;
          map.set(key, free);
        }
        for (const { key: asked } of actions) assert.equal(table.get(asked), map.get(asked));
        assert.equal(table.size, map.size);
      }
    }),
  );
});
