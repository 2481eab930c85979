// Who waits for admission, with what priority, and what the metrics say.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Rejection } from '../../../core/attempts/index.ts';
import { MetricsRegistry } from '../../../core/metrics/index.ts';
import type { RoutingCore, RoutingRequest } from '../../../core/routing/index.ts';
import { Headers, type ServerExchange, type Ticker } from '../../../io/http/index.ts';
import { RouterAdmission } from './router-admission.ts';

interface Waiting {
  readonly headers?: Readonly<Record<string, string>>;
  readonly address?: string;
  readonly priority?: number;
  readonly model?: string;
}

/** An admission to saturated engines until `hasRoom` is set; `order` has the names of the admitted. */
function begin(options: { readonly hasSharedKey?: boolean; readonly queuedMax?: number } = {}) {
  const { hasSharedKey = false, queuedMax = 100 } = options;
  const state = { hasRoom: false, nowSeconds: 0 };
  const registry = new MetricsRegistry();
  const core = {
    hasRoom: () => state.hasRoom,
    mayReturn: () => false,
    resolveModel: (model: string | undefined) => (model === 'alias' ? 'm' : model),
  };
  let tick = () => {};
  const ticker = {
    add: ({ onTick }: { onTick: () => void }) => {
      tick = onTick;
    },
  };
  const admission = new RouterAdmission({
    settings: {
      queueTimeout: 600,
      maxQueuedRequests: queuedMax,
      saturationWait: 2,
      holdTimeout: 0,
    },
    ...{ core: core as unknown as RoutingCore, ticker: ticker as unknown as Ticker },
    ...{ clock: { nowSeconds: () => state.nowSeconds }, registry, hasSharedKey },
  });
  const order: string[] = [];
  const enter = (name: string, waiting: Waiting = {}) => {
    const { headers = {}, address = '10.0.0.1', priority, model = 'm' } = waiting;
    return admission.enter({
      exchange: exchangeOf(headers, address),
      request: requestOf(name, model),
      ...{ priority, patienceSeconds: Number.POSITIVE_INFINITY },
      admitted: () => order.push(name),
      rejected: ({ reason }: Rejection) => order.push(`${name} ${reason}`),
    });
  };
  /** Makes room, and admits all. */
  const open = () => {
    state.hasRoom = true;
    tick();
    return order.splice(0);
  };
  return { admission, registry, state, order, enter, open, tick: () => tick() };
}

function requestOf(id: string, model: string, pinnedUrl?: string): RoutingRequest {
  return {
    ...{ id, model, pinnedUrl, session: undefined, prompt: [], promptTokens: 10 },
    ...{ tokens: undefined, outputTokensMax: undefined, stream: false },
  };
}

function exchangeOf(lines: Readonly<Record<string, string>>, clientAddress: string) {
  const headers = new Headers();
  for (const [name, value] of Object.entries(lines)) {
    headers.names.push(name);
    headers.values.push(value);
  }
  return { head: { headers }, clientAddress } as unknown as ServerExchange;
}

test('a request waits while the engines of its model are saturated, unless it names its engine', () => {
  const { admission, state } = begin();
  assert.equal(admission.isOpen(requestOf('a', 'm')), false);
  assert.equal(admission.isOpen(requestOf('a', 'm', 'http://engine')), true);
  state.hasRoom = true;
  assert.equal(admission.isOpen(requestOf('a', 'm')), true);
});

test('lower priorities go first: of the header, else of the body, rounded and limited to a million', () => {
  const { enter, open } = begin();
  enter('none');
  enter('body 0', { priority: 0 });
  enter('body 2', { priority: 2 });
  enter('body 1.6', { priority: 1.6 });
  enter('header -3', { priority: 9, headers: { 'x-request-priority': '-3' } });
  enter('not a number', { priority: Number.NaN });
  enter('far below', { headers: { 'x-request-priority': '-999999999' } });
  enter('least', { priority: -1_000_000 });
  enter('far above', { priority: Number.MAX_VALUE });
  enter('greatest', { headers: { 'x-request-priority': '1000000' } });
  assert.deepEqual(open(), [
    ...['far below', 'least', 'header -3', 'none', 'body 0', 'not a number'],
    ...['body 2', 'body 1.6', 'far above', 'greatest'],
  ]);
});

test('a header that is not a whole number of nine digits counts as none', () => {
  const { enter, open } = begin();
  const values = ['1e3', '', '1.5', '--1', '1234567890', ' 1'];
  for (const value of values) {
    enter(value, { priority: -1, headers: { 'x-request-priority': value } });
  }
  enter('0');
  enter('nine digits', { priority: -2, headers: { 'x-request-priority': '123456789' } });
  assert.deepEqual(open(), [...values, '0', 'nine digits']);
});

test('clients take turns: by their key, by their address if all have the same key or none', () => {
  const [ann, bob] = [{ authorization: 'Bearer ann' }, { 'x-api-key': 'bob' }];
  const turns = (hasSharedKey: boolean, waiting: readonly (readonly [string, Waiting])[]) => {
    const { enter, open } = begin({ hasSharedKey });
    for (const [name, one] of waiting) enter(name, one);
    return open().join(' ');
  };
  const byKey = [
    ['ann1', { headers: ann }],
    ['ann2', { headers: ann }],
    ['bob1', { headers: bob }],
    ['eve1', { headers: { 'x-api-key': 'eve' } }],
    ['bob2', { headers: bob }],
  ] as const;
  assert.equal(turns(false, byKey), 'ann1 bob1 eve1 ann2 bob2');
  assert.equal(turns(true, byKey), 'ann1 ann2 bob1 eve1 bob2', 'all at one address');
  const byAddress = [
    ['near1', {}],
    ['near2', {}],
    ['far1', { address: '10.0.0.2' }],
  ] as const;
  assert.equal(turns(false, byAddress), 'near1 far1 near2');
});

test('the metrics have the queue of each model, the waits, and the rejections by reason', () => {
  const { enter, registry, state, open, order } = begin({ queuedMax: 2 });
  const value = (series: string) =>
    registry
      .render()
      .split('\n')
      .find((line) => line.startsWith(`${series} `))
      ?.slice(series.length + 1);
  enter('a', { model: 'alias' });
  enter('b');
  enter('c', { model: 'other' });
  assert.equal(value('spillway_router_queued_requests{model="m"}'), '2.0');
  assert.equal(value('spillway_router_queued_requests{model="other"}'), '1.0');
  assert.equal(enter('d'), undefined);
  assert.deepEqual(order.splice(0), ['d full']);
  assert.equal(value('spillway_router_rejected_requests_total{reason="full"}'), '1.0');
  assert.equal(value('spillway_router_rejected_requests_total{reason="late"}'), '0.0');
  state.nowSeconds = 3;
  open();
  assert.equal(value('spillway_router_queued_requests{model="m"}'), undefined);
  assert.equal(value('spillway_router_queue_wait_seconds_count'), '3.0');
  assert.equal(value('spillway_router_queue_wait_seconds_sum'), '9.0');
  assert.equal(enter('e'), undefined);
  assert.deepEqual(order, ['e']);
  assert.equal(value('spillway_router_queue_wait_seconds_count'), '3.0', 'it did not wait');
});

test('room at an engine admits the next request once the current turn is over, at most once per turn', async () => {
  const { admission, enter, state, order } = begin();
  enter('a');
  state.hasRoom = true;
  admission.roomMade();
  admission.roomMade();
  assert.deepEqual(order, []);
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(order, ['a']);
  state.hasRoom = false;
  enter('b');
  state.hasRoom = true;
  admission.roomMade();
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(order, ['a', 'b']);
});

test('a wait of less than a second counts, too', () => {
  const { enter, registry, state, open } = begin();
  enter('a');
  state.nowSeconds = 0.25;
  open();
  assert.match(registry.render(), /^spillway_router_queue_wait_seconds_sum 0\.25$/m);
});

test('the view has the queue over all models, with its sixteen most urgent priorities', () => {
  const { admission, enter, state } = begin({ queuedMax: 18 });
  const none = { waiting: 0, oldestSeconds: 0, rejected: 0, byPriority: [] };
  assert.deepEqual(admission.view(), none);
  for (let priority = 16; priority > 0; priority--) enter(`${priority}`, { priority });
  state.nowSeconds = 2;
  enter('other', { priority: 1, model: 'n' });
  enter('last', { priority: 17 });
  state.nowSeconds = 5;
  for (let i = 0; i < 3; i++) enter('another', { priority: 17 });
  const { waiting, oldestSeconds, rejected, byPriority } = admission.view();
  assert.deepEqual([waiting, oldestSeconds, rejected], [19, 5, 2]);
  assert.equal(byPriority.length, 16);
  assert.deepEqual(byPriority[0], { priority: 1, waiting: 2 });
  assert.deepEqual(byPriority.at(-1), { priority: 16, waiting: 1 });
});

test('a request that leaves is not admitted', () => {
  const { admission, enter, open } = begin();
  const place = enter('a') ?? assert.fail();
  enter('b');
  admission.leave(place);
  assert.deepEqual(
    admission.state().map(({ requests }) => requests),
    [1],
  );
  assert.deepEqual(open(), ['b']);
});
