import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PrefillBacklog } from './prefill-backlog.ts';

const [a, b, c] = [{ name: 'a' }, { name: 'b' }, { name: 'c' }];

test('a request waits for the rest of what was sent before it', () => {
  const backlog = new PrefillBacklog();
  assert.equal(backlog.waitSeconds(0), 0);
  backlog.add(a, 2, 0, true);
  backlog.add(b, 1, 0.5, true);
  assert.equal(backlog.waitSeconds(0.5), 2.5);
  assert.equal(backlog.waitSeconds(1.5), 1.5);
});

test('a first byte tells how far the engine is, and how long it took for this request', () => {
  const backlog = new PrefillBacklog();
  backlog.add(a, 2, 0, true);
  backlog.add(b, 1, 0, true);
  // 1 s early: only the second request is left.
  assert.equal(backlog.firstByte(a, 1, 1), 1);
  assert.equal(backlog.waitSeconds(1), 1);
  // The second began when the first was done, not when it was sent.
  assert.equal(backlog.firstByte(b, 1.5, 1.5), 0.5);
  assert.equal(backlog.waitSeconds(1.5), 0);
  assert.equal(backlog.length, 0);
  assert.equal(backlog.firstByte(b, 1.5, 1.5), undefined);
});

test('a first byte that is told a moment after a later one takes no time; one told long after says nothing', () => {
  const backlog = new PrefillBacklog();
  for (const key of [a, b, c]) backlog.add(key, 2, 0, true);
  assert.equal(backlog.firstByte(b, 3, 3), 3);
  assert.equal(backlog.firstByte(a, 2.995, 2.995), 0);
  // The engine began with what is left at the last first byte known of.
  assert.equal(backlog.waitSeconds(3), 2);
  assert.equal(backlog.firstByte(c, 1, 1), undefined);
  assert.equal(backlog.length, 0);
});

test('an overdue first byte is a wait that nobody booked, and it grows', () => {
  const backlog = new PrefillBacklog();
  backlog.add(a, 1, 0, true);
  backlog.add(b, 1, 0, true);
  assert.equal(backlog.waitSeconds(1), 1);
  assert.equal(backlog.waitSeconds(4), 3);
  assert.equal(backlog.waitSeconds(11), 10);
});

test('a cancelled request gives its place back', () => {
  const backlog = new PrefillBacklog();
  backlog.add(a, 5, 0, true);
  backlog.add(b, 1, 0, true);
  backlog.drop(a, 1);
  assert.equal(backlog.waitSeconds(1), 0);
  backlog.drop(a, 1);
  assert.equal(backlog.length, 1);
});

test('a request whose first byte tells nothing is done when the book says', () => {
  const backlog = new PrefillBacklog();
  backlog.add(a, 1, 0, false);
  backlog.add(b, 1, 0, false);
  backlog.add(c, 1, 0, true);
  assert.equal(backlog.waitSeconds(0.5), 2.5);
  assert.equal(backlog.waitSeconds(2.5), 0.5);
  assert.equal(backlog.length, 1);
  assert.equal(backlog.waitSeconds(9), 6);
});
