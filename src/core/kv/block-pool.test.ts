import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type BlockKey, BlockPool } from './index.ts';

/** A pool of blocks 1 … n, with the keys that it dropped. */
function poolOf(blocks: number) {
  const removed: BlockKey[] = [];
  const pool = new BlockPool({ blocksTotal: blocks + 1, onRemoved: (key) => removed.push(key) });
  const take = (...keys: BlockKey[]) =>
    keys.map((key) => {
      const block = pool.allocate();
      pool.cache(block, key);
      return block;
    });
  return { pool, removed, take };
}

test('blocks are allocated in order of their ids, except block 0', () => {
  const { pool } = poolOf(3);
  assert.deepEqual([pool.allocate(), pool.allocate(), pool.allocate()], [1, 2, 3]);
  assert.throws(() => pool.allocate(), RangeError);
});

test('a freed sequence joins the end of the free list tail first, and its block without a key the front', () => {
  const { pool, take } = poolOf(5);
  const blocks = take('a', 'b');
  const partial = pool.allocate();
  pool.release([...blocks, partial]);
  assert.deepEqual(pool.freeOrder(), [3, 4, 5, 2, 1]);
});

test('a free block serves hits until it is allocated again, which drops its key', () => {
  const { pool, removed, take } = poolOf(2);
  pool.release(take('a', 'b'));
  assert.equal(pool.lookup('b'), 2);
  assert.equal(pool.allocate(), 2);
  assert.deepEqual([pool.lookup('a'), pool.lookup('b')], [1, undefined]);
  assert.deepEqual(removed, ['b']);
});

test('a hit leaves the free list, and its last holder puts it back at the end', () => {
  const { pool, take } = poolOf(3);
  pool.release(take('a', 'b', 'c'));
  pool.acquire(1);
  pool.acquire(1);
  pool.release([1]);
  assert.deepEqual(pool.freeOrder(), [3, 2]);
  pool.release([1]);
  assert.deepEqual(pool.freeOrder(), [3, 2, 1]);
});

test('of two blocks with one key the older serves hits, and each is removed by itself', () => {
  const { pool, removed, take } = poolOf(3);
  take('a', 'a');
  assert.equal(pool.lookup('a'), 1);
  pool.release([1]);
  pool.allocate();
  assert.equal(pool.allocate(), 1);
  assert.deepEqual([pool.lookup('a'), removed], [2, ['a']]);
});

test('gains count only what may bring a block of a key into use', () => {
  const { pool, take } = poolOf(2);
  const gained = (act: () => void) => {
    const before = pool.gains;
    act();
    return pool.gains - before;
  };
  let first = 0;
  const allocating = () => {
    first = pool.allocate();
  };
  assert.equal(gained(allocating), 0);
  assert.equal(
    gained(() => pool.cache(first, 'a')),
    1,
  );
  assert.equal(
    gained(() => take('a')),
    1,
  );
  assert.equal(
    gained(() => pool.release([first])),
    0,
  );
  // The free block of "a" is evicted: a lookup now finds the other, which is in use.
  assert.equal(gained(allocating), 1);
  assert.equal(
    gained(() => pool.acquire(2)),
    1,
  );
});

test('a reset is refused while a block has a holder, and drops every key after', () => {
  const { pool, take } = poolOf(3);
  const blocks = take('a', 'b');
  assert.equal(pool.reset(), false);
  pool.release(blocks);
  assert.equal(pool.reset(), true);
  assert.deepEqual(
    [pool.lookup('a'), pool.lookup('b'), pool.freeBlocks],
    [undefined, undefined, 3],
  );
});

test('the pool agrees with a simple model after any operations', () => {
  const action = fc.oneof(
    { weight: 3, arbitrary: fc.record({ kind: fc.constant('take' as const), key: fc.nat(9) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('takeAll' as const), key: fc.nat(9) }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('hit' as const), key: fc.nat(9) }) },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant('release' as const), key: fc.nat(99) }) },
  );
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 12 }), fc.array(action, { maxLength: 80 }), run),
    { numRuns: 200 },
  );

  /** The model: the free list as an array, holders as a list, keys as a list oldest first. */
  function run(blocks: number, actions: readonly { kind: string; key: number }[]): void {
    const { pool } = poolOf(blocks);
    let free = Array.from({ length: blocks }, (_, i) => i + 1);
    const held: number[] = [];
    let keys: [number, number][] = [];
    for (const { kind, key } of actions) {
      if (kind === 'take' && free.length > 0) {
        const [block = 0, ...rest] = free;
        free = rest;
        keys = keys.filter(([, holder]) => holder !== block);
        assert.equal(pool.allocate(), block);
        held.push(block);
        // Key 0 stands for a block that never becomes full.
        if (key > 0) {
          pool.cache(block, key);
          keys.push([key, block]);
        }
      } else if (kind === 'takeAll') {
        // Some of the free blocks at once, half of the times all.
        const count = key % 2 === 0 ? free.length : Math.min(free.length, key);
        const blocks: number[] = [];
        pool.allocateTo(blocks, count);
        assert.deepEqual(blocks, free.slice(0, count));
        free = free.slice(count);
        keys = keys.filter(([, holder]) => !blocks.includes(holder));
        held.push(...blocks);
        assert.throws(() => pool.allocateTo(blocks, free.length + 1), RangeError);
      } else if (kind === 'hit') {
        const block = keys.find(([name]) => name === key)?.[1];
        assert.equal(pool.lookup(key), block);
        if (block === undefined) continue;
        pool.acquire(block);
        free = free.filter((other) => other !== block);
        held.push(block);
      } else if (kind === 'release' && held.length > 0) {
        const [block = 0] = held.splice(key % held.length, 1);
        pool.release([block]);
        if (held.includes(block)) continue;
        if (keys.some(([, holder]) => holder === block)) free.push(block);
        else free.unshift(block);
      }
      assert.deepEqual(pool.freeOrder(), free);
      assert.equal(pool.freeBlocks + pool.usedBlocks, blocks);
    }
    for (let block = 1; block <= blocks; block++) {
      assert.equal(pool.references(block), held.filter((other) => other === block).length);
    }
  }
});
