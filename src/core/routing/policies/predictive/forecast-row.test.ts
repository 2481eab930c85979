import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ForecastRow, ForecastTable, type NotedLoad } from './forecast-row.ts';
import { PrefillSpeed, speedLength } from './prefill-speed.ts';

const noted: NotedLoad = {
  ...{ freeAtSeconds: 12, countsDownUntilSeconds: 20 },
  ...{ foreignFreeAtSeconds: 14, foreignKnownUntilSeconds: 18 },
  ...{ queued: 3, inflight: 8, contextReadSeconds: 0.001 },
  ...{ roomTokens: 1000, spareTokens: 800 },
};

function rowOf(load: Partial<NotedLoad> = {}, table = new ForecastTable()): ForecastRow {
  const row = new ForecastRow(table, table.add());
  row.note({ ...noted, ...load });
  return row;
}

test('the wait lasts until own and foreign prefill is complete, while both are known', () => {
  assert.equal(rowOf().waitSeconds(10), 4);
  assert.equal(rowOf({ foreignFreeAtSeconds: 11 }).waitSeconds(10), 2);
  assert.equal(rowOf().waitSeconds(17), 0);
  assert.equal(rowOf().waitSeconds(18), 0);
  assert.equal(rowOf().waitSeconds(18.1), undefined);
  const foreignKnownUntilSeconds = 90;
  assert.equal(rowOf({ foreignKnownUntilSeconds }).waitSeconds(20), 0);
  assert.equal(rowOf({ foreignKnownUntilSeconds }).waitSeconds(20.1), undefined);
});

test('a prompt shorter than the free space fits', () => {
  assert.equal(rowOf().hasRoom(999), true);
  assert.equal(rowOf().hasRoom(1000), false);
  assert.equal(rowOf().queuedRequests, 3);
});

test('a prompt evicts as far as it does not fit, but nothing where others are being evicted already', () => {
  assert.equal(rowOf().evictingShare(500), 0);
  assert.equal(rowOf().evictingShare(800), 0);
  assert.equal(rowOf().evictingShare(3200), 0.75);
  assert.equal(rowOf({ spareTokens: 0 }).evictingShare(4000), 1);
  assert.equal(rowOf({ spareTokens: -1 }).evictingShare(4000), 0);
});

test('running requests add the time to read their context to each step of a prefill', () => {
  assert.equal(rowOf().interferenceSeconds(0), 0.001);
  assert.equal(rowOf().interferenceSeconds(8192), 0.002);
  assert.equal(rowOf().interferenceSeconds(4096), 0.0015);
});

test('a prompt delays output by its prefill, by the contexts it reads with, and by its own context', () => {
  // 2 s for each of 8; 1 ms for each of its 100 tokens; 45 ns a token of 1,000 for 8 · 100 / 2.
  const expected = 2 * 8 + 0.001 * 100 + 45e-9 * 1000 * 400;
  assert.ok(Math.abs(rowOf().decodeDelaySeconds(2, 1000, 100) - expected) < 1e-12);
});

test('assigned prefill has a half-life of ten minutes, and late updates add to it', () => {
  const row = rowOf();
  assert.equal(row.assignedSeconds(50), 0);
  row.assign(1, 100);
  assert.equal(row.assignedSeconds(100), 1);
  row.assign(7, 100);
  assert.equal(row.assignedSeconds(100), 8);
  assert.equal(row.assignedSeconds(700), 4);
  row.assign(1, 700);
  assert.equal(row.assignedSeconds(700), 5);
  row.assign(1, 650);
  assert.equal(row.assignedSeconds(700), 6);
  assert.equal(row.assignedSeconds(1300), 3);
});

test('a table grows with its rows and reuses freed rows, zeroed', () => {
  const table = new ForecastTable();
  const rows = Array.from({ length: 20 }, (_, i) => rowOf({ queued: i }, table));
  assert.equal(new Set(rows.map(({ at }) => at)).size, 20);
  assert.deepEqual(
    rows.map(({ queuedRequests }) => queuedRequests),
    rows.map((_, i) => i),
  );
  const [, second] = rows;
  table.remove(second?.at ?? 0);
  assert.equal(table.add(), second?.at);
  const next = new ForecastRow(table, second?.at ?? 0);
  assert.equal(next.queuedRequests, 0);
  assert.equal(rows[2]?.queuedRequests, 2);
  // As many as before are in use: the next place is a new one.
  assert.ok(!rows.some(({ at }) => at === table.add()));
});

test('a row that leaves its table keeps its numbers and frees its place', () => {
  const table = new ForecastTable();
  const first = rowOf({}, table);
  const row = rowOf({ queued: 9 }, table);
  const speed = new PrefillSpeed({ overheadSeconds: 0.5, secondsPerToken: 0.25 }, row);
  assert.equal(row.secondsFor(4), 1.5);
  const place = row.at;
  row.leave();
  assert.equal(row.queuedRequests, 9);
  assert.equal(row.waitSeconds(10), 4);
  assert.equal(row.secondsFor(4), 1.5);
  assert.equal(speed.secondsFor(4), 1.5);
  assert.equal(table.add(), place);
  assert.equal(first.queuedRequests, 3);
});

test('a row ages as its speed does', () => {
  const row = rowOf();
  new PrefillSpeed(undefined, row);
  const fleet = { overheadSeconds: 0.5, secondsPerToken: 0.25 };
  row.age(0, fleet);
  assert.ok(Math.abs(row.secondsFor(4) - 1.5) < 1e-9);
});

test('load and speed of a row do not overwrite each other', () => {
  const table = new ForecastTable();
  const row = new ForecastRow(table, table.add());
  const prior = { overheadSeconds: 0.5, secondsPerToken: 0.25 };
  new PrefillSpeed(prior, row);
  row.note(noted);
  row.assign(8, 0);
  const numbers = () => [...row.numbers.subarray(row.at + speedLength, row.at + speedLength + 10)];
  const before = numbers();
  row.age(0, { overheadSeconds: 1, secondsPerToken: 2 });
  assert.deepEqual(numbers(), before);
  assert.ok(Math.abs(row.secondsFor(4) - 9) < 1e-9);
  assert.deepEqual([row.hasRoom(999), row.hasRoom(1000)], [true, false]);
});

test('an engine that comes after a pause counts as having had what the others had, and no less than it has', () => {
  const row = rowOf();
  row.assign(1, 100);
  row.raiseAssigned(3, 100);
  assert.equal(row.assignedSeconds(100), 3);
  row.raiseAssigned(2, 100);
  assert.equal(row.assignedSeconds(100), 3);
});

test('an engine was passed over after five seconds and five picks per engine without it', () => {
  const row = rowOf();
  row.picked(10, 100);
  assert.equal(row.wasPassedOver(25, 3, 105), true);
  assert.equal(row.wasPassedOver(24, 3, 105), false, 'that may be chance');
  assert.equal(row.wasPassedOver(25, 3, 104.9), false, 'that may be a burst');
});
