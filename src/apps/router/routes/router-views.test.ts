// What /debug/router, /debug/picks and /dashboard/history say.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { routingRequest } from '../../../../test/support/routing.ts';
import { version } from '../../../core/base/index.ts';
import { MetricsRegistry } from '../../../core/metrics/index.ts';
import { createPolicy, RoutingCore } from '../../../core/routing/index.ts';
import type { KvIndexFeed } from '../../../io/kv-events/index.ts';
import type { Engine } from '../fleet/engine.ts';
import { EngineMetrics } from '../metrics/engine-metrics.ts';
import type { FleetHistory } from '../metrics/fleet-history.ts';
import { RouterMetrics } from '../metrics/router-metrics.ts';
import { RouterViews, type RouterViewsOptions } from './router-views.ts';

/** Views of a router with two engines, of which the first one has a name, and its clock. */
function begin(options: Partial<RouterViewsOptions> = {}) {
  const state = { nowSeconds: 100 };
  const nowSeconds = () => state.nowSeconds;
  const policy = createPolicy('roundrobin', { random: { next: () => 0 } });
  const core = new RoutingCore({ policy, clock: { nowSeconds } });
  for (const url of ['http://a:1', 'http://b:2']) core.addEndpoint({ url, models: ['m'] });
  const metrics = new RouterMetrics(new MetricsRegistry(), 60);
  const named = { name: 'one', metrics: {} } as unknown as Engine;
  const asked: unknown[] = [];
  const history = {
    view: (query: unknown) => asked.push(query),
  } as unknown as FleetHistory;
  const feed = { state: new Map() } as unknown as KvIndexFeed;
  const views = new RouterViews({
    ...{ core, metrics, history, feed, nowSeconds, shared: undefined, admission: undefined },
    engines: new Map([['http://a:1', named]]),
    unixSeconds: nowSeconds,
    ...options,
  });
  const send = () => {
    const ticket = core.route(routingRequest('', { id: 'r' }));
    ticket.sent();
    return ticket;
  };
  return { state, core, metrics, views, asked, send };
}

test('the view of the router counts since its start, and over all engines', () => {
  const { views, state, metrics, send } = begin();
  state.nowSeconds = 130;
  Object.assign(metrics, { arrived: 5 });
  metrics.refused('m', 400);
  metrics.refused('m', 503);
  for (let i = 0; i < 3; i++) send();
  const view = views.router();
  assert.equal(view.uptimeSeconds, 30);
  assert.deepEqual([view.policy, view.version], ['roundrobin', version]);
  assert.deepEqual([view.requests, view.errors], [5, 2]);
  assert.deepEqual([view.clientErrors, view.serverErrors], [1, 1]);
  assert.equal(view.inflight, 3);
  assert.deepEqual([view.queue, view.routers], [null, null]);
  assert.deepEqual(
    view.engines.map(({ url, name, ownLoad }) => [url, name, ownLoad.inflight]),
    [
      ['http://a:1', 'one', 2],
      ['http://b:2', 'b:2', 1],
    ],
  );
});

test('the queue and the peer routers are part of the view where they exist', () => {
  const queue = { waiting: 1, oldestSeconds: 2, rejected: 3, byPriority: [] };
  const routers = { id: 'x', listeners: 0, listenersDropped: 0, peers: [], unknownEngines: [] };
  const { views } = begin({
    admission: { view: () => queue } as never,
    shared: { view: routers } as never,
  });
  const view = views.router();
  assert.deepEqual([view.queue, view.routers], [queue, routers]);
});

test('the rate and the latencies are those of now, for the fifty busiest models at most', () => {
  const { views, metrics, state } = begin();
  for (let i = 0; i < 60; i++) metrics.rate.count(100);
  const times = { status: 200, outcome: { status: 'completed' }, seconds: 1 } as const;
  for (let i = 0; i < 60; i++) {
    const engine = new EngineMetrics(metrics, 'http://a:1');
    const rest = { generates: true, tokenSeconds: undefined, nowSeconds: 100 };
    engine.finished({ ...times, ...rest, model: `m${i}` });
  }
  state.nowSeconds = 101;
  const view = views.router();
  assert.ok(view.requestsPerSecond > 0);
  assert.equal(view.latencies.all.e2e?.count, 60);
  assert.equal(view.latencies.models.length, 50);
  assert.equal(view.engines[0]?.latencies.e2e?.count, 60);
  state.nowSeconds = 100_000;
  assert.deepEqual([views.router().requestsPerSecond, views.router().latencies.all.e2e], [0, null]);
});

test('picks have the name of their engine, its address if it has none, and null for what is missing', () => {
  const { views, core, send } = begin();
  send();
  send();
  core.route(routingRequest('', { id: 's', model: undefined }));
  const picks = views.picks();
  assert.deepEqual(
    picks.map(({ requestId, url, engine, model, scores }) => [
      requestId,
      url,
      engine,
      model,
      scores,
    ]),
    [
      ['r', 'http://a:1', 'one', 'm', null],
      ['r', 'http://b:2', 'b:2', 'm', null],
      ['s', 'http://a:1', 'one', null, null],
    ],
  );
});

test('ended requests have the name of their engine', () => {
  const { views, metrics } = begin();
  const ended = {
    ...({ atSeconds: 1, requestId: 'r', model: 'm', outcome: 'completed', status: 200 } as const),
    ...{ ttftSeconds: undefined, seconds: 1, outputTokens: undefined },
    ...{ sentSeconds: 0, attempts: 1, promptTokens: 3, cachedTokens: undefined },
  };
  for (const url of ['http://a:1', 'http://b:2', null]) metrics.recent.add({ ...ended, url });
  assert.deepEqual(
    views.requests().map(({ engine }) => engine),
    ['one', 'b:2', null],
  );
});

test('the history is asked for the engines of the query, 32 at most, since its time', () => {
  const { views, asked } = begin();
  views.history(new URLSearchParams('engine=a&engine=b&since=12.5'));
  views.history(new URLSearchParams('since=soon'));
  views.history(new URLSearchParams('since=Infinity'));
  views.history(new URLSearchParams());
  views.history(new URLSearchParams('engine=x&'.repeat(40)));
  assert.deepEqual(asked.slice(0, 4), [
    { urls: ['a', 'b'], sinceSeconds: 12.5 },
    { urls: [], sinceSeconds: 0 },
    { urls: [], sinceSeconds: 0 },
    { urls: [], sinceSeconds: 0 },
  ]);
  assert.deepEqual(asked[4], { urls: Array.from({ length: 32 }, () => 'x'), sinceSeconds: 0 });
});
