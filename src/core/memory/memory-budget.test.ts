import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { MemoryBudget } from './memory-budget.ts';

test('a use with a smaller share gives way first', () => {
  const memory = new MemoryBudget(100);
  const [first, last] = [memory.share(0.5), memory.share(1)];
  assert.equal(first.take(40), true);
  assert.equal(first.take(20), false);
  assert.equal(last.take(60), true);
  assert.equal(last.take(1), false);
  assert.equal(first.take(1), false);
  last.give(60);
  assert.equal(first.take(10), true);
  assert.deepEqual([memory.bytes, first.bytes, last.bytes], [50, 50, 0]);
});

test('what is held already counts, and is an excess until it is given back', () => {
  const memory = new MemoryBudget(100);
  const [bodies, unread] = [memory.share(0.5), memory.share(1)];
  unread.force(130);
  assert.equal(memory.excess, 30);
  assert.equal(bodies.take(1), false);
  unread.give(90);
  assert.equal(memory.excess, 0);
  assert.equal(bodies.take(10), true);
});

test('a budget without a bound refuses nothing', () => {
  const share = new MemoryBudget(Number.POSITIVE_INFINITY).share(0.5);
  assert.equal(share.take(2 ** 50), true);
});

test('the total is the sum of the shares, and no take leaves it above its share', () => {
  const step = fc.record({ use: fc.nat(2), bytes: fc.nat(60), gives: fc.boolean() });
  fc.assert(
    fc.property(fc.array(step), (steps) => {
      const memory = new MemoryBudget(100);
      const shares = [0.5, 0.75, 1].map((part) => memory.share(part));
      for (const { use, bytes, gives } of steps) {
        const share = shares[use] as (typeof shares)[0];
        if (gives) share.give(Math.min(bytes, share.bytes));
        else if (share.take(bytes)) assert.ok(memory.bytes <= share.totalMax);
      }
      const sum = shares.reduce((total, share) => total + share.bytes, 0);
      assert.equal(memory.bytes, sum);
      assert.ok(sum <= 100);
    }),
  );
});
