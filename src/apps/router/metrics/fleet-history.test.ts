import assert from 'node:assert/strict';
import { test } from 'node:test';
import { engineSeriesNames, fleetSeriesNames } from '../../../core/views/index.ts';
import { type EnginePoint, FleetHistory, type FleetPoint } from './fleet-history.ts';

const fleetPoint = (value: number | null): FleetPoint =>
  Object.fromEntries(fleetSeriesNames.map((name) => [name, value])) as FleetPoint;
const enginePoint = (value: number | null): EnginePoint =>
  Object.fromEntries(engineSeriesNames.map((name) => [name, value])) as EnginePoint;
const engines = (values: Readonly<Record<string, number | null>>) =>
  new Map(
    Object.entries(values).map(([url, value]) => [url, { name: url, point: enginePoint(value) }]),
  );
const all = { urls: ['a', 'b'], sinceSeconds: 0 };

test('points are kept in order, and unknown values are null', () => {
  const history = new FleetHistory();
  history.push(100, fleetPoint(1), engines({ a: 0.25 }));
  history.push(105, fleetPoint(null), engines({ a: null }));
  const { atSeconds, fleet, engines: found } = history.view(all);
  assert.deepEqual(atSeconds, [100, 105]);
  assert.deepEqual(fleet.requestsPerSecond, [1, null]);
  assert.deepEqual(found[0]?.series.kvUsage, [0.25, null]);
  assert.equal(found.length, 1);
});

test('values are rounded to five digits after the point', () => {
  const history = new FleetHistory();
  history.push(100, fleetPoint(0.123456), engines({ a: 0.000014 }));
  const { fleet, engines: found } = history.view(all);
  assert.deepEqual([fleet.requestsPerSecond, found[0]?.series.kvUsage], [[0.12346], [0.00001]]);
});

test('times are rounded to milliseconds', () => {
  const history = new FleetHistory();
  history.push(100.0016, fleetPoint(1), engines({}));
  assert.deepEqual(history.view(all).atSeconds, [100.002]);
});

test('an engine that is renamed keeps its points under its new name', () => {
  const history = new FleetHistory();
  for (const name of ['old', 'new']) {
    history.push(100, fleetPoint(1), new Map([['a', { name, point: enginePoint(1) }]]));
  }
  const [engine] = history.view(all).engines;
  assert.deepEqual([engine?.name, engine?.series.running], ['new', [1, 1]]);
});

test('an hour is kept, and older points are dropped', () => {
  const history = new FleetHistory();
  for (let i = 0; i < 800; i++) history.push(i * 5, fleetPoint(i), engines({ a: i }));
  const view = history.view(all);
  assert.equal(view.atSeconds.length, 720);
  assert.deepEqual([view.atSeconds[0], view.atSeconds.at(-1)], [400, 3995]);
  assert.deepEqual([view.fleet.waiting[0], view.fleet.waiting.at(-1)], [80, 799]);
  assert.deepEqual([view.engines[0]?.series.waiting[0]], [80]);
});

test('only points after a time are returned, and those of later engines are aligned at the end', () => {
  const history = new FleetHistory();
  history.push(100, fleetPoint(1), engines({ a: 1 }));
  history.push(105, fleetPoint(2), engines({ a: 2, b: 9 }));
  const { atSeconds, fleet, engines: found } = history.view({ ...all, sinceSeconds: 100 });
  assert.deepEqual(atSeconds, [105]);
  assert.deepEqual(fleet.running, [2]);
  assert.deepEqual(
    found.map(({ url, series }) => [url, series.running]),
    [
      ['a', [2]],
      ['b', [9]],
    ],
  );
  assert.deepEqual(history.view(all).engines[1]?.series.running, [9]);
});

test('a removed engine loses its points, and engines beyond 512 have none', () => {
  const history = new FleetHistory();
  history.push(100, fleetPoint(1), engines({ a: 1 }));
  const many = Object.fromEntries(Array.from({ length: 513 }, (_, i) => [`e${i}`, i]));
  history.push(105, fleetPoint(1), engines(many));
  const { engines: found } = history.view({ urls: ['a', 'e511', 'e512'], sinceSeconds: 0 });
  assert.deepEqual(
    found.map(({ url }) => url),
    ['e511'],
  );
});
