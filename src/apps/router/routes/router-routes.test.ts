// Which paths a router has on which port, how each is forwarded, and what the router says of itself.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Client } from '../../../../test/support/client-in-memory.ts';
import { version } from '../../../core/base/index.ts';
import { MetricsRegistry } from '../../../core/metrics/index.ts';
import {
  createPolicy,
  defaultSaturationLimits,
  type EndpointOptions,
  RoutingCore,
} from '../../../core/routing/index.ts';
import { attemptUpdatesPath } from '../../../io/attempt-updates/index.ts';
import { RouteTable } from '../../../io/routes/index.ts';
import type { ForwardedRoute } from '../requests/inference-requests.ts';
import type { RouterAdmission } from '../requests/router-admission.ts';
import { adminRoutes, clientRoutes, type RouterRoutesContext, viewPaths } from './router-routes.ts';

function coreWith(...endpoints: readonly Partial<EndpointOptions>[]): RoutingCore {
  const core = new RoutingCore({
    policy: createPolicy('roundrobin', { random: { next: () => 0 } }),
    clock: { nowSeconds: () => 100 },
    saturation: defaultSaturationLimits,
  });
  for (const endpoint of endpoints)
    core.addEndpoint({ url: 'http://a', models: ['m'], ...endpoint });
  return core;
}

/** The routes of a router with one live engine, and what they were asked for. */
function begin(options: Partial<RouterRoutesContext> = {}) {
  const taken: [target: string, route: ForwardedRoute, arrivedAtMs: number][] = [];
  const viewers: unknown[] = [];
  const view = (name: string) => () => [name];
  const context = {
    ...{ core: coreWith({}), engines: new Map(), registry: new MetricsRegistry() },
    ...{ webpage: new Map(), admission: undefined, shared: undefined },
    requests: {
      take: ({ target }: Client, route: ForwardedRoute, arrivedAtMs: number) =>
        taken.push([target, route, arrivedAtMs]),
    },
    views: {
      ...{ engines: view('engines'), router: view('router') },
      ...{ picks: view('picks'), requests: view('requests') },
      history: (query: URLSearchParams) => [...query],
    },
    events: { add: (exchange: unknown) => viewers.push(exchange) },
    ...{ draining: () => false, dynamicConfig: () => undefined },
    ...options,
  } as unknown as RouterRoutesContext;
  const askOf = (table: RouteTable<(exchange: never, arrivedAtMs: number) => void>) => {
    return (target: string, method = 'GET') => {
      const client = new Client({}, { method, target });
      const match = table.find(method, target.replace(/\?.*/, ''));
      if (match.kind === 'found') match.handler(client.exchange as never, 7);
      return match.kind === 'found' ? client : undefined;
    };
  };
  const [clients, admins] = [clientRoutes(context), adminRoutes(context)];
  return {
    ...{ taken, viewers, clients, admins },
    ask: askOf(new RouteTable(clients)),
    askAdmin: askOf(new RouteTable(admins)),
  };
}

test('a request for an engine is forwarded as its path says, with its time of arrival', () => {
  const { ask, taken } = begin();
  const forwardedAs = (path: string) => {
    ask(path, 'POST');
    const [target, route, arrivedAtMs] = taken.at(-1) ?? assert.fail(path);
    assert.deepEqual([target, arrivedAtMs], [path, 7]);
    return route;
  };
  assert.deepEqual(forwardedAs('/v1/chat/completions'), {
    ...{ kind: 'json', generates: true, promptKind: 'chat', movingStream: 'chat', isHedged: true },
    isSalted: true,
  });
  assert.deepEqual(forwardedAs('/v1/responses'), {
    ...{ kind: 'json', generates: true, promptKind: 'responses', movingStream: 'responses' },
    ...{ isHedged: false, isSalted: true },
  });
  assert.deepEqual(forwardedAs('/v1/embeddings'), {
    ...{ kind: 'json', generates: false, promptKind: undefined, movingStream: undefined },
    ...{ isHedged: false, isSalted: true },
  });
  assert.equal(forwardedAs('/tokenize').kind, 'json-any');
  assert.equal(forwardedAs('/tokenize').isSalted, false);
  assert.equal(forwardedAs('/v1/audio/transcriptions').kind, 'form');
  assert.equal(ask('/v1/chat/completions'), undefined, 'GET');
});

test('clients have no path of operators, and those have no path of clients; both have the probes', () => {
  const { clients, admins } = begin();
  const [own, operators] = [Object.keys(clients), Object.keys(admins)];
  const both = own.filter((path) => operators.includes(path));
  assert.deepEqual(both.sort(), ['/health', '/livez', '/version']);
  assert.ok(own.includes('/v1/models') && own.includes('/v1/completions'));
  assert.deepEqual(operators.filter((path) => !own.includes(path)).sort(), [
    ...['/dashboard/events', '/dashboard/history', '/dashboard/plan'],
    ...['/debug/picks', '/debug/queue'],
    ...['/debug/requests', '/debug/router', '/engines', '/metrics'],
  ]);
});

test('each view is served as JSON, to GET and HEAD', () => {
  const { askAdmin } = begin();
  for (const [path, name] of [
    ['/engines', 'engines'],
    ['/debug/router', 'router'],
    ['/debug/picks', 'picks'],
    ['/debug/requests', 'requests'],
  ] as const) {
    const client = askAdmin(path);
    assert.deepEqual([client?.status, client?.json], [200, [name]], path);
    assert.deepEqual([askAdmin(path, 'HEAD')?.status, askAdmin(path, 'HEAD')?.text], [200, '']);
    assert.equal(askAdmin(path, 'POST'), undefined);
  }
});

test('the history gets the query without its question mark, or none', () => {
  const { askAdmin } = begin();
  assert.deepEqual(askAdmin('/dashboard/history?engine=a&since=5')?.json, [
    ['engine', 'a'],
    ['since', '5'],
  ]);
  const whole = askAdmin('/dashboard/history');
  assert.deepEqual([whole?.status, whole?.json], [200, []]);
});

test('a viewer joins the events, and metrics are a page of Prometheus', () => {
  const registry = new MetricsRegistry();
  registry.counter({ name: 'requests', help: 'Requests.' }).with().inc();
  const { askAdmin, viewers } = begin({ registry });
  const viewer = askAdmin('/dashboard/events');
  assert.deepEqual(viewers, [viewer]);
  assert.match(askAdmin('/metrics')?.text ?? '', /^requests_total 1\.0$/m);
});

test('the page’s files are served with their types, and may not load anything from elsewhere', () => {
  const file = { contentType: 'text/css', body: Buffer.from('a{}'), cacheControl: 'max-age=9' };
  const { askAdmin } = begin({ webpage: new Map([['/assets/a.css', file]]) });
  const client = askAdmin('/assets/a.css');
  assert.deepEqual([client?.status, client?.text], [200, 'a{}']);
  assert.equal(client?.header('content-type'), 'text/css');
  assert.equal(client?.header('cache-control'), 'max-age=9');
  assert.match(client?.header('content-security-policy') ?? '', /default-src 'none'|'self'/);
  assert.equal(client?.header('x-content-type-options'), 'nosniff');
});

test('a router is healthy while it has a live engine and is not shutting down', () => {
  const { ask, askAdmin } = begin();
  for (const healthy of [ask('/health'), askAdmin('/health')]) {
    assert.deepEqual([healthy?.status, healthy?.json], [200, { status: 'healthy' }]);
  }
  const configured = begin({ dynamicConfig: () => ({ file: 'f' }) }).ask('/health');
  assert.deepEqual(configured?.json, { status: 'healthy', dynamic_config: { file: 'f' } });
  const draining = begin({ draining: () => true }).ask('/health');
  assert.deepEqual(
    [draining?.status, draining?.error['message']],
    [503, 'The router is shutting down.'],
  );
  const without = begin({ core: coreWith({ state: 'dead' }) }).ask('/health');
  assert.deepEqual([without?.status, without?.error['message']], [503, 'No engine is live.']);
});

test('a router without an engine is alive, and has a version', () => {
  const { ask } = begin({ core: coreWith() });
  assert.deepEqual([ask('/livez')?.status, ask('/livez')?.json], [200, { status: 'alive' }]);
  const answered = ask('/version');
  assert.deepEqual([answered?.status, answered?.json], [200, { version, router: 'spillway' }]);
});

test('the models are those of the engines, under their aliases too', () => {
  const core = coreWith({});
  core.setAliases(new Map([['alias', 'm']]));
  const listed = begin({ core }).ask('/v1/models');
  assert.equal(listed?.status, 200);
  const models = listed?.json as { readonly data: { id: string }[] };
  assert.deepEqual(
    models.data.map(({ id }) => id),
    ['m', 'alias'],
  );
});

test('peer routers listen at their path, if there are any', () => {
  const listeners: unknown[] = [];
  const shared = { addListener: (exchange: unknown) => listeners.push(exchange) };
  const client = begin({ shared: shared as never }).ask(attemptUpdatesPath);
  assert.deepEqual(listeners, [client]);
  assert.equal(begin().ask(attemptUpdatesPath), undefined);
});

test('the queue view has each lane and the saturated engines; without a queue it is empty', () => {
  const core = coreWith({}, { url: 'http://b' });
  const waiting = defaultSaturationLimits.waitingMax;
  core.setReported('http://b', { atSeconds: 100, running: 1, waiting, kvUsage: 0.5 });
  const lanes = [
    { model: undefined, requests: 2 },
    { model: 'm', requests: 1 },
  ];
  const admission = { state: () => lanes } as unknown as RouterAdmission;
  const queue = begin({ core, admission }).askAdmin('/debug/queue');
  assert.equal(queue?.status, 200);
  assert.deepEqual(queue?.json, {
    enabled: true,
    queues: [{ model: null, requests: 2 }, lanes[1]],
    saturatedEngines: ['http://b'],
  });
  assert.deepEqual(begin().askAdmin('/debug/queue')?.json, {
    ...{ enabled: false, queues: [], saturatedEngines: [] },
  });
});

test('views are the page and the routes for people, whatever the page’s files are named', () => {
  const webpage = new Map([
    ['/', {}],
    ['/new-folder/a.js', {}],
  ]) as never;
  const views = viewPaths(begin({ webpage }).admins);
  for (const path of ['/', '/engines', '/debug/picks', '/dashboard/events', '/new-folder/a.js']) {
    assert.ok(views.has(path), path);
  }
  for (const path of ['/health', '/livez', '/version', '/metrics', '/v1/models', '/enginesx']) {
    assert.ok(!views.has(path), path);
  }
});
