import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { HistoryView } from '../../src/core/views/index.ts';
import { alignedTo, emptyHistory, mergeHistory, newestSeconds, recentPoints } from './history.ts';

/** A response with one series, `running`, for the fleet and for some engines. */
function view(
  atSeconds: readonly number[],
  running: readonly (number | null)[],
  engines: Readonly<Record<string, readonly number[]>> = {},
): HistoryView {
  return {
    intervalSeconds: 5,
    atSeconds,
    fleet: { running },
    engines: Object.entries(engines).map(([url, values]) => {
      return { url, name: url, series: { running: values } };
    }),
  } as unknown as HistoryView;
}

test('new points are appended, and points that are known already are not', () => {
  const first = mergeHistory(emptyHistory, view([5, 10], [1, 2]));
  const second = mergeHistory(first, view([10, 15], [2, 3]));
  assert.deepEqual(second.fleet, { atSeconds: [5, 10, 15], series: { running: [1, 2, 3] } });
  assert.equal(newestSeconds(second), 15);
  assert.equal(mergeHistory(second, view([], [])).fleet, second.fleet);
});

test('a gap between points, as after a restart of the router, is not bridged', () => {
  const before = mergeHistory(emptyHistory, view([5], [1]));
  const { fleet } = mergeHistory(before, view([60], [2]));
  assert.deepEqual(fleet, { atSeconds: [5, 10, 60], series: { running: [1, null, 2] } });
});

test('the points of an engine that was added later are aligned at the end', () => {
  const history = mergeHistory(emptyHistory, view([5, 10, 15], [1, 2, 3], { a: [7], b: [] }));
  const points = history.engines.get('a');
  assert.deepEqual(points, { atSeconds: [15], series: { running: [7] } });
  assert.ok(points !== undefined);
  assert.deepEqual(alignedTo([5, 10, 15], points, 'running'), [null, null, 7]);
  assert.deepEqual(alignedTo([15], points, 'unknown'), [null]);
  assert.deepEqual(history.engines.get('b')?.atSeconds, []);
});

test('an hour is kept, and a chart shows its last minutes', () => {
  let history = emptyHistory;
  for (let at = 5; at <= 4_000; at += 5) history = mergeHistory(history, view([at], [at]));
  assert.equal(history.fleet.atSeconds.length, 720);
  assert.equal(history.fleet.atSeconds[0], 405);
  const recent = recentPoints(history.fleet, 300);
  assert.deepEqual([recent.atSeconds.length, recent.series['running']?.[0]], [60, 3_705]);
});
