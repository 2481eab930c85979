// How much is read from engines in one turn.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ReadTurns } from './read-turns.ts';

test('beyond the bytes of a turn, readers wait, and go on in order, some in each turn', () => {
  const turns: (() => void)[] = [];
  let nowMs = 10;
  const reads = new ReadTurns(
    (callback) => turns.push(callback),
    2 * 65_536,
    () => nowMs,
  );
  const next = () => turns.shift()?.();
  const went: number[] = [];
  const readers = [0, 1, 2, 3, 4].map((at) => ({ readOn: () => void went.push(at) }));
  const may = readers.map((reader) => reads.spend(65_536, reader));
  assert.deepEqual(may, [true, false, false, false, false]);
  assert.deepEqual(went, []);
  next();
  assert.deepEqual(went, [1, 2]);
  next();
  assert.deepEqual(went, [1, 2, 3, 4]);
  next();
  assert.equal(turns.length, 0, 'an idle process has no turns');
  assert.equal(reads.spend(1, readers[0] as (typeof readers)[0]), true);
  nowMs = 40;
  const may2 = readers.slice(0, 3).map((reader) => reads.spend(131_071, reader));
  assert.deepEqual(may2, [true, true, false], 'what takes longer is no flood');
});
