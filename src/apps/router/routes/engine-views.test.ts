// An engine as /engines has it, and the list of models.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { routingRequest } from '../../../../test/support/routing.ts';
import { createPolicy, RoutingCore } from '../../../core/routing/index.ts';
import type { KvIndexFeed } from '../../../io/kv-events/index.ts';
import type { Engine } from '../fleet/engine.ts';
import type { LatencyWindows } from '../metrics/latency-windows.ts';
import { engineViews, mergedModels } from './engine-views.ts';

function coreOf(...urls: readonly string[]): RoutingCore {
  const policy = createPolicy('roundrobin', { random: { next: () => 0 } });
  const core = new RoutingCore({ policy, clock: { nowSeconds: () => 100 } });
  for (const url of urls) core.addEndpoint({ url, models: ['m'] });
  return core;
}

/** What is known of an engine that has reported everything. */
const whole = {
  ...{ id: 'id-a', name: 'one', isEmulated: false, createdSeconds: 1_700, stateSeconds: 12.6 },
  report: {
    ...{ running: 5, waiting: 2, kvUsage: 0.5, blocksTotal: 102, preemptions: 6 },
    ...{ prefixCacheQueries: 400, prefixCacheHits: 300, promptTokens: 7, generationTokens: 8 },
  },
  ...{ reportedAtSeconds: 98.5, rates: { hitRate: 0.5 }, models: [] },
  metrics: { clientErrors: 3, serverErrors: 4 },
};

function viewOf(engine: object | undefined, { state = new Map(), core = coreOf('http://a') } = {}) {
  const engines = new Map(engine && [['http://a', engine as Engine]]);
  const windows = {
    engine: (url: string, nowSeconds: number) => ({ of: url, nowSeconds }),
  } as unknown as LatencyWindows;
  const feed = { state } as unknown as KvIndexFeed;
  const [view] = engineViews(core, engines, { nowSeconds: 100, feed, windows });
  return view ?? assert.fail();
}

test('an engine has its state, its load, its last report and its errors', () => {
  const core = coreOf('http://a');
  core.route(routingRequest()).sent();
  const load = { inflight: 1, prefilling: 1, prefillTokens: 0, decodeTokens: 0 };
  assert.deepEqual(viewOf(whole, { core }), {
    ...{ engine_id: 'id-a', serving_models: ['m'], created: 1_700, url: 'http://a', name: 'one' },
    ...{ emulated: false, state: 'live', reason: core.endpoints()[0]?.reason, stateSeconds: 13 },
    ...{ load, ownLoad: load, rates: { hitRate: 0.5 }, ejected: false, kvEvents: null },
    reported: {
      ...{ ageSeconds: 1.5, running: 5, waiting: 2, kvUsage: 0.5, preemptions: 6 },
      // Half of 101 blocks, rounded: block 0 is no part of the usage.
      ...{ blocksTotal: 102, blocksUsed: 51, prefixCacheQueries: 400, prefixCacheHits: 300 },
      ...{ promptTokens: 7, generationTokens: 8 },
    },
    totals: { requests: 1, errors: 0, retries: 0, clientErrors: 3, serverErrors: 4 },
    latencies: { of: 'http://a', nowSeconds: 100 },
  });
});

test('what an engine does not report is null, and 0 is a report', () => {
  const { ageSeconds, ...nothing } =
    viewOf({ ...whole, report: {}, reportedAtSeconds: 99.9994 }).reported ?? assert.fail();
  assert.equal(ageSeconds, 0.001);
  for (const [name, value] of Object.entries(nothing)) assert.equal(value, null, name);
  const zeros = Object.fromEntries(Object.keys(whole.report).map((name) => [name, 0]));
  const { blocksUsed, ...rest } =
    viewOf({ ...whole, report: { ...zeros, blocksTotal: 11 } }).reported ?? assert.fail();
  assert.equal(blocksUsed, 0);
  assert.deepEqual(
    Object.entries(rest).filter(([, value]) => value === null),
    [],
  );
  const partly = { ...whole, report: { blocksTotal: 11 } };
  assert.equal(viewOf(partly).reported?.blocksUsed, null);
  assert.equal(viewOf({ ...whole, report: { kvUsage: 0.5 } }).reported?.blocksUsed, null);
});

test('an engine that has not been contacted has nothing but its address', () => {
  const view = viewOf(undefined);
  assert.deepEqual(
    [view.engine_id, view.name, view.emulated, view.created, view.stateSeconds],
    ['http://a', 'a', null, 0, 0],
  );
  assert.deepEqual([view.reported, view.rates], [null, null]);
  assert.deepEqual([view.totals.clientErrors, view.totals.serverErrors], [0, 0]);
  const fresh = viewOf({ ...whole, report: undefined, rates: undefined, isEmulated: undefined });
  assert.deepEqual([fresh.reported, fresh.rates, fresh.emulated], [null, null, null]);
});

test('an ejected engine is shown as one', () => {
  const core = coreOf('http://a', 'http://b');
  core.eject('http://a', 'stalled');
  assert.equal(viewOf(whole, { core }).ejected, true);
});

test('the KV events of an engine say how much of its cache is known', () => {
  const viewOfState = (state: object) =>
    viewOf(whole, { state: new Map([['http://a', state]]) }).kvEvents;
  assert.deepEqual(viewOfState({ knowledge: 'exact', blocks: 9 }), {
    ...{ coverage: 'complete', blocks: 9, problem: null },
  });
  assert.deepEqual(viewOfState({ knowledge: 'partial', blocks: 0, problem: 'gone' }), {
    ...{ coverage: 'partial', blocks: 0, problem: 'gone' },
  });
  assert.equal(viewOfState({ knowledge: 'none', blocks: 0 })?.coverage, 'none');
});

test('each model is listed once, as its first engine lists it, and not for dead engines alone', () => {
  const core = coreOf('http://a', 'http://b', 'http://c', 'http://d');
  core.addEndpoint({ url: 'http://b', models: ['m', 'n'] });
  core.addEndpoint({ url: 'http://c', models: ['gone'] });
  core.addEndpoint({ url: 'http://d', models: ['o'] });
  core.setState('http://c', 'dead', 'test');
  const engine = (createdSeconds: number, ...models: readonly object[]) =>
    ({ createdSeconds, models }) as unknown as Engine;
  const engines = new Map([
    ['http://a', engine(5, { id: 'other' }, { id: 'm', root: 'of a' })],
    ['http://b', engine(6, { id: 'm', root: 'of b' })],
  ]);
  const aliases = new Map([
    ['alias', 'm'],
    ['none', 'gone'],
    ['n', 'm'],
  ]);
  assert.deepEqual(mergedModels(core, engines, aliases), {
    object: 'list',
    data: [
      { id: 'm', root: 'of a' },
      { id: 'n', object: 'model', created: 6, owned_by: 'vllm' },
      { id: 'o', object: 'model', created: 0, owned_by: 'vllm' },
      { id: 'alias', root: 'of a' },
    ],
  });
});
