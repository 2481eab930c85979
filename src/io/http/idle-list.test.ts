import assert from 'node:assert/strict';
import { test } from 'node:test';
import { IdleList, IdlePlace } from './idle-list.ts';

test('the longest idle is the one that was added first and is still there', () => {
  const list = new IdleList<string>();
  assert.equal(list.longest, undefined);
  const [a, b, c] = ['a', 'b', 'c'].map((name) => new IdlePlace(name)) as [
    IdlePlace<string>,
    IdlePlace<string>,
    IdlePlace<string>,
  ];
  for (const place of [a, b, c]) list.add(place);
  assert.equal(list.longest, 'a');
  list.remove(b);
  list.remove(a);
  assert.equal(list.longest, 'c');
  list.add(a);
  assert.equal(list.longest, 'c');
  list.remove(c);
  assert.equal(list.longest, 'a');
  list.remove(a);
  assert.equal(list.longest, undefined);
});

test('an item that is added again is the last, and one that is not there may be removed', () => {
  const list = new IdleList<number>();
  const [first, second] = [new IdlePlace(1), new IdlePlace(2)];
  list.remove(first);
  list.add(first);
  list.add(second);
  list.add(first);
  assert.equal(list.longest, 2);
  list.remove(second);
  list.remove(second);
  assert.equal(list.longest, 1);
});
