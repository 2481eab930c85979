// Which values make room on a server that also keeps copies for others.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createEvictionOrder } from '../eviction/index.ts';
import { CopiesFirst } from './copies-first.ts';

function orderOf(own: readonly string[], copies: readonly string[]): CopiesFirst {
  const order = new CopiesFirst(() => createEvictionOrder('lru'));
  for (const key of own) order.add(key, 1, false);
  for (const key of copies) order.add(key, 1, true);
  return order;
}

test('copies go first, each kind in its order, and own values never for a copy', () => {
  const order = orderOf(['a', 'b'], ['c', 'd']);
  assert.deepEqual([...order.candidates(false)], ['c', 'd', 'a', 'b']);
  assert.deepEqual([...order.candidates(true)], ['c', 'd']);
});

test('a copy that is read here is no longer one, and a key that was removed is forgotten', () => {
  const order = orderOf(['a', 'b'], ['c', 'd']);
  order.own('c');
  order.own('nobody');
  order.use('c');
  order.use('a');
  assert.deepEqual([...order.candidates(false)], ['d', 'b', 'c', 'a']);
  order.remove('c', false);
  order.remove('d', true);
  order.add('d', 1, false);
  assert.deepEqual([...order.candidates(false)], ['b', 'a', 'd']);
  assert.deepEqual([...order.candidates(true)], []);
});
