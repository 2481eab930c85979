import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ClientMemory } from './client-memory.ts';

const MiB = 1 << 20;

test('beyond the bound, the client that takes most is closed first, until the others are within it', () => {
  const memory = new ClientMemory(10 * MiB);
  const closed: string[] = [];
  const [a, b, c] = ['a', 'b', 'c'].map((name) => memory.open(() => closed.push(name)));
  a?.set('request', 3 * MiB);
  a?.set('replies', 1 * MiB);
  b?.set('replies', 5 * MiB);
  assert.deepEqual(closed, []);
  c?.set('request', 2 * MiB);
  assert.deepEqual(closed.splice(0), ['b']);
  assert.equal(memory.bytes, 6 * MiB);
  b?.set('replies', 50 * MiB);
  assert.equal(memory.bytes, 6 * MiB, 'one that is closed takes nothing');
  c?.set('request', 20 * MiB);
  assert.deepEqual(closed, ['c']);
  a?.set('request', 0);
  assert.equal(memory.bytes, 1 * MiB);
  a?.end();
  a?.end();
  assert.equal(memory.bytes, 0);
});

test('what any connection takes is not counted', () => {
  const memory = new ClientMemory(0);
  const account = memory.open(() => assert.fail());
  account.set('request', 16 << 10);
  account.set('replies', 16 << 10);
  assert.equal(memory.bytes, 0);
});
