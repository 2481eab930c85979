// The views of a router and their parsers.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { engineView, routerView } from '../../../test/support/router-views.ts';
import {
  currentReport,
  type EngineState,
  engineSeriesNames,
  fleetSeriesNames,
  type HistoryView,
  JsonShapeError,
  type PickView,
  parseEngineViews,
  parseHistoryView,
  parsePickViews,
  parseRequestViews,
  parseRouterView,
  type RequestView,
} from './index.ts';

const latencies = {
  ttft: { count: 3, p50: 0.1, p90: 0.2, p99: 0.3 },
  tpot: null,
  e2e: { count: 4, p50: 1, p90: 2, p99: 3 },
};
const engine = engineView('a', {
  ...{ emulated: null, latencies },
  rates: { promptTokensPerSecond: 1, generationTokensPerSecond: 2, hitRate: null },
  reported: { prefixCacheQueries: null, prefixCacheHits: null, preemptions: null },
  kvEvents: { coverage: 'partial', blocks: 4, problem: null },
});
const router = routerView({
  queue: {
    ...{ waiting: 3, oldestSeconds: 1.5, rejected: 2 },
    byPriority: [{ priority: -1, waiting: 3 }],
  },
  engines: [engine],
  latencies: { windowSeconds: 300, all: latencies, models: [{ model: 'm', ...latencies }] },
  routers: {
    ...{ id: 'x', listeners: 1, listenersDropped: 0, unknownEngines: ['http://z'] },
    peers: [
      {
        ...{ url: 'http://r', address: '10.0.0.1', state: 'duplicate', router: null },
        ...{ problem: 'it is connected at another address', delaySeconds: null },
      },
    ],
  },
});
const pick: PickView = {
  ...{ atSeconds: 1, requestId: 'r', model: null, promptTokens: 5, url: 'http://a' },
  engine: 'a',
  ...{ reason: 'its turn', cachedTokens: 0, candidates: ['http://a'], scores: [null, 1] },
};

const request: RequestView = {
  ...{ atSeconds: 1, requestId: 'r', model: 'm', url: null, engine: null, outcome: 'failed' },
  ...{ status: 404, ttftSeconds: null, seconds: 0.1, outputTokens: null },
};
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

test('views are read back whole', () => {
  assert.deepEqual(parseRouterView(JSON.stringify(router)), router);
  assert.deepEqual(parseEngineViews(JSON.stringify([engine])), [engine]);
  assert.deepEqual(parsePickViews(JSON.stringify([pick])), [pick]);
  assert.deepEqual(parseRequestViews(JSON.stringify([request])), [request]);
  assert.deepEqual(parseHistoryView(JSON.stringify(history)), history);
  const alone = {
    ...router,
    ...{ routers: null, queue: null },
    engines: [{ ...engine, reported: null, rates: null, kvEvents: null }],
  };
  assert.deepEqual(parseRouterView(JSON.stringify(alone)), alone);
});

test('keys of a newer router are omitted', () => {
  const newer = { ...router, zone: 'a', engines: [{ ...engine, tier: 'b' }] };
  assert.deepEqual(parseRouterView(JSON.stringify(newer)), router);
});

test('the report of an engine that is dead or starting is not current', () => {
  const isCurrent = (state: EngineState) =>
    currentReport(engineView('a', { state, reported: { running: 1 } })) !== null;
  assert.deepEqual(
    ['live', 'draining', 'dead', 'starting'].map((s) => isCurrent(s as EngineState)),
    [...[true, true, false, false]],
  );
});

test('JSON of another shape is refused with the position of the difference', () => {
  const cases: readonly (readonly [unknown, string])[] = [
    [[], 'the document must be an object, not []'],
    [{ ...router, engines: {} }, 'engines must be a list, not {}'],
    [{ ...router, policy: undefined }, 'policy must be a text, not nothing'],
    [
      { ...router, engines: [engine, { ...engine, state: 'unheard-of' }] },
      'engines[1].state must be one of starting, live, asleep, draining, dead, not "unheard-of"',
    ],
    [
      { ...router, engines: [{ ...engine, load: { ...engine.load, inflight: '1' } }] },
      'engines[0].load.inflight must be a number, not "1"',
    ],
  ];
  for (const [value, message] of cases) {
    assert.throws(
      () => parseRouterView(JSON.stringify(value)),
      (error) => error instanceof JsonShapeError && error.message === message,
    );
  }
});
