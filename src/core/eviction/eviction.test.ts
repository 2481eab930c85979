import assert from 'node:assert/strict';
import { test } from 'node:test';
import { testEvictionOrder } from './eviction-order.suite.ts';
import type { EvictionOrder } from './eviction-order.ts';
import { createEvictionOrder, evictionNames } from './index.ts';

for (const name of evictionNames) testEvictionOrder(name, () => createEvictionOrder(name));

/** Evicts the first candidate. */
function evicted(order: EvictionOrder): string | undefined {
  const [first] = order.candidates();
  if (first !== undefined) order.remove(first, true);
  return first;
}

test('lru evicts the least recently used value', () => {
  const order = createEvictionOrder('lru');
  for (const key of ['a', 'b', 'c']) order.add(key, 1);
  order.use('a');
  assert.deepEqual([evicted(order), evicted(order), evicted(order)], ['b', 'c', 'a']);
});

test('s3-fifo lets a scan pass through its small queue, and takes back what returns', () => {
  const order = createEvictionOrder('s3-fifo');
  for (let i = 0; i < 9; i++) {
    order.add(`hot ${i}`, 1);
    order.use(`hot ${i}`);
    order.use(`hot ${i}`);
  }
  order.add('scan 0', 1);
  order.add('scan 1', 1);
  // The hot ones go on to the main queue, the scanned one leaves.
  assert.equal(evicted(order), 'scan 0');
  order.add('scan 0', 1);
  order.add('other', 1);
  assert.equal(evicted(order), 'scan 1', 'scan 0 came back, and is in the main queue');
});

test('prefix evicts the last chunk of the prompt that was not used for longest', () => {
  const order = createEvictionOrder('prefix');
  for (const prompt of ['a', 'b']) {
    for (let i = 0; i < 3; i++) {
      order.add(`${prompt}${i}`, 1);
      if (i > 0) order.follows(`${prompt}${i}`, `${prompt}${i - 1}`, true);
    }
  }
  for (let i = 0; i < 3; i++) order.use(`a${i}`);
  const all = Array.from({ length: 6 }, () => evicted(order));
  // A chunk far behind is dearer to compute again, so the shorter rest of "a" comes before the end of "b".
  const ofOne = (prompt: string) => all.filter((key) => key?.startsWith(prompt));
  assert.deepEqual(ofOne('a'), ['a2', 'a1', 'a0']);
  assert.deepEqual(ofOne('b'), ['b2', 'b1', 'b0']);
  assert.equal(all[0], 'b2');
});

test('prefix evicts chunks whose predecessor is gone before all others', () => {
  const order = createEvictionOrder('prefix');
  for (const key of ['x', 'a0', 'a1', 'a2']) order.add(key, 1);
  order.follows('a1', 'a0', true);
  order.follows('a2', 'a1', true);
  for (const key of ['a0', 'a1', 'a2']) order.use(key);
  order.remove('a0', false);
  assert.deepEqual([evicted(order), evicted(order)], ['a2', 'a1']);
  // A predecessor that comes back makes the chain whole again.
  for (const key of ['a1', 'a0']) order.add(key, 1);
  assert.equal(evicted(order), 'x');
});

test('prefix prefers to keep what its bytes save: small values that were used as recently', () => {
  const order = createEvictionOrder('prefix');
  order.add('small', 1 << 20);
  order.add('large', 8 << 20);
  assert.equal(evicted(order), 'large');
});

test('prefix believes what a client did when it is seen twice, and never a second predecessor', () => {
  const order = createEvictionOrder('prefix');
  for (const key of ['a', 'b', 'c']) order.add(key, 1);
  order.follows('b', 'a', false);
  assert.deepEqual([...order.candidates()], ['a', 'b', 'c']);
  order.follows('b', 'a', false);
  assert.deepEqual([...order.candidates()], ['c', 'b', 'a']);
  const other = createEvictionOrder('prefix');
  for (const key of ['a', 'b', 'c']) other.add(key, 1);
  other.follows('b', 'a', false);
  other.follows('b', 'c', false);
  other.follows('b', 'a', false);
  other.follows('b', 'a', false);
  assert.deepEqual([...other.candidates()], ['a', 'b', 'c'], 'it begins prompts');
});

test('prefix is not caught by chains that bite their own tail', () => {
  const order = createEvictionOrder('prefix');
  for (const key of ['a', 'b', 'c']) order.add(key, 1);
  for (const [key, before] of [
    ['b', 'a'],
    ['c', 'b'],
    ['a', 'c'],
  ] as const) {
    order.follows(key, before, true);
  }
  assert.deepEqual([evicted(order), evicted(order), evicted(order)], ['c', 'b', 'a']);
});
