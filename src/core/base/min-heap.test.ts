import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { MinHeap } from './min-heap.ts';

test('items are taken by rank, and items of equal rank in the order added', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(20)), (ranks) => {
      const heap = new MinHeap<number>();
      for (const [index, rank] of ranks.entries()) heap.add(rank, index);
      const taken = Array.from({ length: heap.size }, () => heap.take());
      const sorted = [...ranks.entries()].sort(([i, a], [j, b]) => a - b || i - j);
      assert.deepEqual(
        taken,
        sorted.map(([index]) => index),
      );
      assert.equal(heap.take(), undefined);
      assert.equal(heap.leastRank, Number.POSITIVE_INFINITY);
    }),
  );
});

test('an item added between two takes is ordered correctly', () => {
  const heap = new MinHeap<string>();
  heap.add(5, 'e');
  heap.add(1, 'a');
  assert.equal(heap.take(), 'a');
  heap.add(3, 'c');
  assert.deepEqual([heap.least, heap.leastRank], ['c', 3]);
  assert.deepEqual([heap.take(), heap.take()], ['c', 'e']);
});
