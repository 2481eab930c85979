import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ownersOf } from './rendezvous.ts';

const members = ['10.0.0.1:6379', '10.0.0.2:6379', '10.0.0.3:6379', '10.0.0.4:6379'];
const keys = Array.from({ length: 8000 }, (_, i) => `model@1@0@${i.toString(16)}@bfloat16`);

test('keys spread evenly, whatever the order of the list', () => {
  const counts = new Map<string, number>();
  for (const key of keys) {
    const owners = ownersOf(key, members, 2);
    assert.deepEqual(ownersOf(key, members.toReversed(), 2), owners);
    assert.equal(new Set(owners).size, 2);
    for (const owner of owners) counts.set(owner, (counts.get(owner) ?? 0) + 1);
  }
  for (const count of counts.values()) assert.ok(Math.abs(count - 4000) < 200, `${count}`);
});

test('a server that leaves moves its own keys only', () => {
  const left = members.slice(1);
  let moved = 0;
  for (const key of keys) {
    const [before, after] = [ownersOf(key, members, 1), ownersOf(key, left, 1)];
    if (before[0] === members[0]) moved++;
    else assert.deepEqual(after, before);
  }
  assert.ok(Math.abs(moved - 2000) < 150, `${moved}`);
});

test('fewer servers than copies are all of them', () => {
  assert.deepEqual(ownersOf('a', members.slice(0, 1), 3), members.slice(0, 1));
  assert.deepEqual(ownersOf('a', [], 3), []);
});
