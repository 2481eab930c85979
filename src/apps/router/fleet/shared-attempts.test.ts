// Attempts shared among routers: what a peer's attempts change here, and what this router tells its peers.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { PassThrough } from 'node:stream';
import { type TestContext, test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Client } from '../../../../test/support/client-in-memory.ts';
import { routingRequest } from '../../../../test/support/routing.ts';
import { until } from '../../../../test/support/until.ts';
import { MetricsRegistry } from '../../../core/metrics/index.ts';
import { createPolicy, RoutingCore } from '../../../core/routing/index.ts';
import { Ticker } from '../../../io/http/index.ts';
import { createLogger } from '../../../io/log/index.ts';
import { noEngine, ResponseEngines } from '../responses/response-engines.ts';
import { SharedAttempts } from './shared-attempts.ts';

const head = 'HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nConnection: close\r\n\r\n';

/** A peer router that writes what a test tells it to. */
async function peerRouter(context: TestContext, id = 'peer') {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket.on('error', () => {}).resume());
    tell({ kind: 'hello', version: 1, router: id }, { kind: 'whole' });
  }).listen(0, '127.0.0.1');
  const tell = (...lines: readonly object[]) => {
    const text = lines.map((line) => `${JSON.stringify(line)}\n`).join('');
    sockets.at(-1)?.write('version' in (lines[0] ?? {}) ? head + text : text);
  };
  await once(server, 'listening');
  context.after(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { url, tell, sockets, cut: () => sockets.at(-1)?.destroy() };
}

/** A router with the engine `a`, its peers and what it has logged. */
function begin(
  context: TestContext,
  { urls = [], graceMs = 0 }: { readonly urls?: readonly string[]; readonly graceMs?: number } = {},
) {
  const state = { laterMs: 0 };
  const nowMs = performance.now.bind(performance);
  context.mock.method(performance, 'now', () => nowMs() + state.laterMs);
  const registry = new MetricsRegistry();
  const stream = new PassThrough();
  const log = createLogger({ stream, level: 'info', format: 'text' });
  const ticker = new Ticker({ tickMs: 20 });
  const core: RoutingCore = new RoutingCore({
    policy: createPolicy('roundrobin', { random: { next: () => 0 } }),
    clock: { nowSeconds: () => 100 },
    onUpdate: (update) => shared.tell(update),
  });
  const responses = new ResponseEngines({ nowSeconds: () => 100 });
  const shared = new SharedAttempts({
    ...{ core, ticker, registry, log, tls: undefined, unknownEngineGraceMs: graceMs },
    ...{ peers: { urls }, responses },
  });
  const engine = 'http://a/v1';
  core.addEndpoint({ url: engine, models: ['m'] });
  shared.addEngine(engine);
  context.after(() => {
    shared.close();
    ticker.stop();
  });
  return {
    ...{ shared, core, state, responses },
    load: () => core.endpoint(engine)?.load.inflight,
    ownLoad: () => core.endpoint(engine)?.ownLoad.inflight,
    value: (series: string) => {
      const line = registry
        .render()
        .split('\n')
        .find((one) => one.startsWith(`${series} `));
      return line === undefined ? undefined : Number(line.slice(series.length));
    },
    logged: () => {
      log.flush();
      return String(stream.read() ?? '');
    },
    listen: (client = new Client({}, { method: 'GET' })) => {
      shared.addListener(client.exchange);
      return client;
    },
  };
}

const sentTo = (url: string, attempt = 1) => ({
  ...{ kind: 'sent', attempt, url, promptTokens: 8, cachedTokens: 0, stream: true },
});
const finished = { kind: 'finished', attempt: 1, status: 'completed' };
const known = 'spillway_router_peer_attempts_total{engine="known"}';
const unknown = 'spillway_router_peer_attempts_total{engine="unknown"}';

test('what a peer learns of stored responses is remembered here, for engines of this router', async (t) => {
  const peer = await peerRouter(t);
  const { shared, responses } = begin(t, { urls: [peer.url] });
  shared.start();
  await until(() => peer.sockets.length > 0);
  peer.tell({ kind: 'alive', atMs: 1, stored: { 'http://a/v1': ['resp_1'], 'http://z': ['r2'] } });
  await until(() => responses.size > 0);
  assert.deepEqual([responses.of('resp_1'), responses.of('r2')], ['http://a/v1', undefined]);
  peer.tell({ kind: 'alive', atMs: 2, stored: { [noEngine]: ['resp_1'] } });
  await until(() => responses.of('resp_1') === noEngine);
});

test('peers are told that no engine has a response', async (t) => {
  const { responses, listen } = begin(t, { urls: ['http://127.0.0.1:1'] });
  const listener = listen();
  responses.learn('resp_1', noEngine);
  await until(() => listener.received.includes('"stored":{"":["resp_1"]}'));
});

test('the attempts of a peer are counted on the same engine here, however its URL is written', async (t) => {
  const peer = await peerRouter(t);
  const { shared, load, ownLoad, value } = begin(t, { urls: [peer.url, `${peer.url}/`] });
  assert.deepEqual(shared.view.peers, [], 'not before it is started');
  shared.start();
  await until(() => shared.view.peers[0]?.state === 'connected');
  assert.equal(shared.view.peers.length, 1, 'the same URL twice is one peer');
  peer.tell(sentTo('http://a/v1', 1), sentTo('http://a/v1', 2));
  await until(() => value(known) === 2);
  assert.deepEqual([load(), ownLoad(), value(unknown)], [2, 0, 0]);
  peer.tell(finished);
  await until(() => load() === 1);
  assert.equal(value('spillway_router_peers{state="connected"}'), 1);
  assert.equal(value('spillway_router_peers{state="connecting"}'), 0);
  assert.equal(value(known), 2, 'only what is sent is counted');
});

test('an engine is told and recognised by one spelling of its URL', async (t) => {
  const peer = await peerRouter(t);
  const { shared, core, value, listen } = begin(t, { urls: [peer.url] });
  const url = 'HTTP://B:80/base//';
  core.addEndpoint({ url, models: ['m'] });
  shared.addEngine(url);
  shared.start();
  await until(() => peer.sockets.length === 1);
  peer.tell(sentTo('http://b/base'));
  await until(() => value(known) === 1);
  assert.equal(core.endpoint(url)?.load.inflight, 1);
  const listener = listen();
  core.route(routingRequest('', { pinnedUrl: url })).sent();
  await until(() => listener.received.includes('"sent"'));
  assert.match(listener.received, /"url":"http:\/\/b\/base"/);
});

test('an engine that only peers have is named once, and no longer when it is added here', async (t) => {
  const peer = await peerRouter(t);
  const { shared, value, logged, load } = begin(t, { urls: [peer.url] });
  shared.start();
  await until(() => peer.sockets.length === 1);
  peer.tell(sentTo('http://b', 1), sentTo('http://b', 2));
  await until(() => value(unknown) === 2);
  assert.deepEqual([value(known), load()], [0, 0]);
  assert.deepEqual(shared.view.unknownEngines, ['http://b']);
  const warnings = logged().match(/WARNING: router peer sends to http:\/\/b, which is not an/g);
  assert.equal(warnings?.length, 1);
  shared.addEngine('http://b/');
  assert.deepEqual(shared.view.unknownEngines, []);
});

test('a new engine has time to become known here before it is named', async (t) => {
  const peer = await peerRouter(t);
  const { shared, state, value, logged } = begin(t, { urls: [peer.url], graceMs: 600_000 });
  shared.start();
  await until(() => peer.sockets.length === 1);
  const tellAfter = async (ms: number, count: number) => {
    state.laterMs += ms;
    peer.tell(sentTo('http://b', count));
    await until(() => value(unknown) === count);
    return logged();
  };
  assert.doesNotMatch(await tellAfter(0, 1), /not an engine/);
  assert.doesNotMatch(await tellAfter(300_000, 2), /not an engine/);
  assert.match(await tellAfter(300_000, 3), /not an engine/);
  assert.doesNotMatch(await tellAfter(300_000, 4), /not an engine/);
});

test('64 unknown engines are kept, and no more', async (t) => {
  const peer = await peerRouter(t);
  const { shared, value } = begin(t, { urls: [peer.url] });
  shared.start();
  await until(() => peer.sockets.length === 1);
  peer.tell(...Array.from({ length: 70 }, (_, i) => sentTo(`http://b${i}`, i)));
  await until(() => value(unknown) === 70);
  assert.equal(shared.view.unknownEngines.length, 64);
  assert.equal(shared.view.unknownEngines.at(-1), 'http://b63');
});

test('an attempt at an engine that has been removed is told by the same spelling', async (t) => {
  const { shared, core, listen } = begin(t);
  const url = 'HTTP://B:80/base//';
  core.addEndpoint({ url, models: ['m'] });
  shared.addEngine(url);
  core.route(routingRequest('', { pinnedUrl: url })).sent();
  shared.removeEngine(url);
  const listener = listen();
  await until(() => listener.received.includes('"sent"'));
  assert.match(listener.received, /"url":"http:\/\/b\/base"/);
});

test('a removed engine is unknown from then on', async (t) => {
  const peer = await peerRouter(t);
  const { shared, value } = begin(t, { urls: [peer.url] });
  shared.removeEngine('http://nowhere');
  shared.start();
  await until(() => peer.sockets.length === 1);
  peer.tell(sentTo('http://a/v1', 1));
  await until(() => value(known) === 1);
  shared.removeEngine('http://a/v1');
  peer.tell(sentTo('http://a/v1', 2));
  await until(() => value(unknown) === 1);
  assert.deepEqual(shared.view.unknownEngines, ['http://a/v1']);
});

test('the attempts of a peer whose connection is lost are forgotten', async (t) => {
  const peer = await peerRouter(t);
  const { shared, load, value } = begin(t, { urls: [peer.url] });
  shared.start();
  await until(() => peer.sockets.length === 1);
  peer.tell(sentTo('http://a/v1'));
  await until(() => load() === 1);
  assert.equal(value('spillway_router_peer_disconnects_total'), 0);
  peer.cut();
  await until(() => load() === 0);
  assert.equal(value('spillway_router_peer_disconnects_total'), 1);
});

test('the delay of a peer is shown once it has sent its time', async (t) => {
  const peer = await peerRouter(t);
  const { shared, value } = begin(t, { urls: [peer.url] });
  const delay = `spillway_router_peer_delay_seconds{peer="${peer.url} 127.0.0.1"}`;
  shared.start();
  await until(() => shared.view.peers[0]?.state === 'connected');
  assert.equal(value(delay), undefined);
  peer.tell({ kind: 'alive', atMs: 1_000 });
  await until(() => value(delay) === 0);
  // The next line left half a second earlier than it should, as seen from the first one.
  peer.tell({ kind: 'alive', atMs: 500 });
  await until(() => (value(delay) ?? 0) >= 0.5);
});

test('a listener gets the attempts of this router: those in flight, and then each update', async (t) => {
  const { shared, core, listen, value } = begin(t);
  const early = core.route(routingRequest());
  early.sent();
  const listener = listen();
  const linesOf = () =>
    listener.text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
  const id = shared.view.id;
  assert.equal(listener.status, 200);
  assert.deepEqual(
    linesOf().map(({ kind, router, url }) => [kind, router ?? url]),
    [
      ['hello', id],
      ['sent', 'http://a/v1'],
      ['whole', undefined],
    ],
  );
  assert.deepEqual([shared.view.listeners, value('spillway_router_peer_listeners')], [1, 1]);
  early.finish({ status: 'completed' });
  await nextTurn();
  assert.equal(linesOf().at(-1)?.kind, 'finished');
  listener.listener?.onClientGone?.();
  assert.equal(shared.view.listeners, 0);
});

test('HEAD gets the type of the updates, and the 65th listener 503', (t) => {
  const { shared, listen } = begin(t);
  const probe = listen(new Client({}, { method: 'HEAD' }));
  assert.deepEqual(
    [probe.status, probe.header('content-type'), probe.text],
    [200, 'application/x-ndjson', ''],
  );
  const listeners = Array.from({ length: 64 }, () => listen());
  assert.deepEqual(new Set(listeners.map(({ status }) => status)), new Set([200]));
  const refused = listen();
  assert.deepEqual(
    [refused.status, refused.error['message']],
    [503, 'This router accepts no further listener.'],
  );
  assert.equal(shared.view.listeners, 64);
});

test('a listener that reads too slowly is dropped, and counted', async (t) => {
  const { shared, core, listen, value } = begin(t);
  const listener = listen();
  listener.unsentBytes = 5 * 1_048_576;
  core.route(routingRequest()).sent();
  await nextTurn();
  assert.deepEqual([listener.isCut, shared.view.listeners], [true, 0]);
  assert.equal(shared.view.listenersDropped, 1);
  assert.equal(value('spillway_router_peer_listeners_dropped_total'), 1);
});

test('a router that stops hears of no more attempts, and tells its own until they have ended', async (t) => {
  const peer = await peerRouter(t);
  const { shared, core, listen } = begin(t, { urls: [peer.url] });
  const ticket = core.route(routingRequest());
  ticket.sent();
  const listener = listen();
  shared.start();
  await until(() => shared.view.peers[0]?.state === 'connected');
  const [connection] = peer.sockets;
  shared.close();
  assert.deepEqual(shared.view.peers, []);
  if (!connection?.closed) await once(connection ?? assert.fail(), 'close');
  assert.ok(!listener.over);
  ticket.finish({ status: 'completed' });
  assert.ok(listener.over);
  assert.match(listener.received, /"finished".*"bye"/s);
  assert.equal(listen().status, 503);
});

test('a peer’s URL that is none is an error', (t) => {
  assert.throws(() => begin(t, { urls: ['routers:8000'] }), /is not a router's URL/);
});
