// The view of the last minutes.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  engineSeriesNames,
  fleetSeriesNames,
  type HistoryView,
  parseHistoryView,
} from './history-view.ts';

const history: HistoryView = {
  intervalSeconds: 5,
  atSeconds: [1, 6],
  fleet: seriesOf(fleetSeriesNames),
  engines: [{ url: 'http://a', name: 'a', series: seriesOf(engineSeriesNames) }],
};

function seriesOf<Name extends string>(names: readonly Name[]) {
  return Object.fromEntries(names.map((name) => [name, [1, null]])) as {
    [Key in Name]: (number | null)[];
  };
}

test('a history is read back whole', () => {
  assert.deepEqual(parseHistoryView(JSON.stringify(history)), history);
});

test('a history without one of its series is refused', () => {
  const { kvUsageMax: _, ...fleet } = history.fleet;
  assert.throws(() => parseHistoryView(JSON.stringify({ ...history, fleet })), {
    message: 'fleet.kvUsageMax must be a list, not nothing',
  });
});
