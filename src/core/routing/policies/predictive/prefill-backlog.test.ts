import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PrefillBacklog, type PrefillKey } from './prefill-backlog.ts';

/** A backlog, and three requests for it. */
function begin() {
  const key = (): PrefillKey => ({ queued: undefined });
  return { backlog: new PrefillBacklog(), a: key(), b: key(), c: key() };
}

test('a request waits for the rest of the work sent before it', () => {
  const { backlog, a, b } = begin();
  assert.equal(backlog.waitSeconds(0), 0);
  backlog.add(a, 2, 0, true);
  backlog.add(b, 1, 0.5, true);
  assert.equal(backlog.waitSeconds(0.5), 2.5);
  assert.equal(backlog.waitSeconds(1.5), 1.5);
});

test('a first byte shows the progress of the engine and the duration of this prefill', () => {
  const { backlog, a, b } = begin();
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

test('a first byte reported just after a later one has no duration; one reported long after is ignored', () => {
  const { backlog, a, b, c } = begin();
  for (const key of [a, b, c]) backlog.add(key, 2, 0, true);
  assert.equal(backlog.firstByte(b, 3, 3), 3);
  assert.equal(backlog.firstByte(a, 2.995, 2.995), 0);
  // The engine began with what is left at the last first byte known of.
  assert.equal(backlog.waitSeconds(3), 2);
  assert.equal(backlog.firstByte(c, 1, 1), undefined);
  assert.equal(backlog.length, 0);
});

test('a first byte reported 50 ms after a later one still counts', () => {
  const { backlog, a, b, c } = begin();
  for (const key of [a, b, c]) backlog.add(key, 2, -1, true);
  backlog.firstByte(a, 1.05, 0.05);
  assert.equal(backlog.firstByte(b, 1, 0), 0);
  assert.equal(backlog.firstByte(c, 0.999, -0.001), undefined);
});

test('an overdue first byte adds a wait that grows', () => {
  const { backlog, a, b } = begin();
  backlog.add(a, 1, 0, true);
  backlog.add(b, 1, 0, true);
  assert.equal(backlog.waitSeconds(1), 1);
  assert.equal(backlog.waitSeconds(4), 3);
  assert.equal(backlog.waitSeconds(11), 10);
});

test('a cancelled request leaves the queue', () => {
  const { backlog, a, b } = begin();
  backlog.add(a, 5, 0, true);
  backlog.add(b, 1, 0, true);
  backlog.drop(a, 1);
  assert.equal(backlog.waitSeconds(1), 0);
  backlog.drop(a, 1);
  assert.equal(backlog.length, 1);
});

test('an unwatched request ends at its predicted time', () => {
  const { backlog, a, b, c } = begin();
  backlog.add(a, 1, 0, false);
  backlog.add(b, 1, 0, false);
  backlog.add(c, 1, 0, true);
  assert.equal(backlog.waitSeconds(0.5), 2.5);
  assert.equal(backlog.waitSeconds(1), 2);
  assert.equal(backlog.length, 3, 'the first is done after that time');
  assert.equal(backlog.waitSeconds(2.5), 0.5);
  assert.equal(backlog.length, 1);
  assert.equal(backlog.waitSeconds(9), 6);
});

test('the wait counts down until the oldest request is due, and each first byte moves that time', () => {
  const { backlog, a: first, b: second, c: third } = begin();
  assert.equal(backlog.countsDownUntilSeconds, Infinity);
  backlog.add(first, 2, 10, true);
  backlog.add(second, 3, 10, true);
  backlog.add(third, 4, 11, true);
  assert.deepEqual([backlog.countsDownUntilSeconds, backlog.freeAtSeconds], [12, 19]);
  assert.equal(backlog.waitSeconds(12), 7);
  assert.equal(backlog.waitSeconds(13), 7);
  backlog.firstByte(first, 4, 14);
  assert.deepEqual([backlog.countsDownUntilSeconds, backlog.freeAtSeconds], [17, 21]);
  backlog.drop(third, 15);
  assert.deepEqual([backlog.length, backlog.freeAtSeconds], [1, 17]);
  backlog.drop(second, 20);
  assert.deepEqual([backlog.length, backlog.freeAtSeconds], [0, 20]);
});
