// A request that is sent to a second engine because its first byte is late: whose response the client gets, and what
// metrics and log keep of it.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { Client } from '../../../../test/support/client-in-memory.ts';
import { routerInMemory } from '../../../../test/support/router-in-memory.ts';
import type { RoutingRequest } from '../../../core/routing/index.ts';
import { ProxiedRequest } from './proxied-request.ts';

interface Asked {
  readonly request?: Partial<RoutingRequest>;
  readonly body?: Buffer;
  readonly isHedged?: boolean;
}

/** A router that has measured its engines A, B and C, of which A is the next one, and `ask`, which streams. */
function begin(
  context: TestContext,
  {
    measured = 102,
    ...options
  }: Parameters<typeof routerInMemory>[1] & { readonly measured?: number } = {},
) {
  context.mock.timers.enable({ apis: ['setInterval'] });
  const router = routerInMemory(context, { hedging: { budget: 10 }, ...options });
  const { flights, flight, state, value } = router;
  const ask = ({ request, body, isHedged = true }: Asked = {}) => {
    const client = new Client();
    new ProxiedRequest(router.proxy, {
      exchange: client.exchange,
      request: {
        ...{ id: 'r', model: 'm', pinnedUrl: undefined, session: undefined, prompt: [] },
        ...{ promptTokens: 10, tokens: undefined, outputTokensMax: undefined, stream: true },
        ...request,
      },
      ...{ body: body ?? Buffer.from('{"model":"m"}'), expectsUsage: false, generates: true },
      ...{ arrivedAtMs: state.nowMs, migration: undefined, isHedged },
    }).start();
    return client;
  };
  const finish = (at: number) => {
    flight(at).stream('data: {"a":1}\n\n');
    flight(at).send(['data: [DONE]\n\n'], { ended: true });
  };
  for (let i = 0; i < measured; i++) {
    ask();
    finish(i);
  }
  flights.length = 0;
  router.logged();
  return {
    ...{ ...router, ask, finish },
    /** The timer looks for late first bytes twice, which is when one of 2 ms is late. */
    late: (ms = 100) => context.mock.timers.tick(ms),
    hedges: (server: string, outcome: string) =>
      value(`spillway_router_hedges_total{outcome="${outcome}",server="http://${server}"}`),
    sentTo: () => flights.map(({ url }) => url).join(' '),
    inflight: () =>
      ['a', 'b', 'c'].map((name) => router.core.endpoint(`http://${name}`)?.load.inflight),
  };
}

test('a late request is sent to a second engine; the first one to respond wins', (t) => {
  const { ask, late, sentTo, flight, hedges, logged, recent, inflight, finish, core } = begin(t);
  const outrun: string[] = [];
  const route = core.route.bind(core);
  t.mock.method(core, 'route', (...args: Parameters<typeof route>) => {
    const ticket = route(...args);
    t.mock.method(ticket, 'outrun', () => outrun.push(ticket.pick.endpoint.url));
    return ticket;
  });
  const client = ask();
  late(99);
  assert.equal(sentTo(), 'A');
  late(1);
  assert.equal(sentTo(), 'A B');
  assert.deepEqual(inflight(), [1, 1, 0]);
  finish(1);
  assert.ok(flight(0).isAborted && !flight(1).isAborted);
  assert.match(client.received, /\r\nx-engine: B\r\n.*"a":1.*\[DONE\]/s);
  assert.ok(client.over);
  assert.deepEqual([hedges('a', 'won'), recent().url], [1, 'http://b']);
  assert.deepEqual(outrun, ['http://a'], 'the policy hears of it');
  assert.match(logged(), /request r: http:\/\/a was late, its hedge at http:\/\/b won\n/);
  assert.deepEqual(inflight(), [0, 0, 0]);
});

test('if the first engine responds first, the second one is left', (t) => {
  const { ask, late, flight, hedges, logged, recent, inflight, finish } = begin(t);
  const client = ask();
  late();
  finish(0);
  assert.ok(flight(1).isAborted && !flight(0).isAborted);
  assert.match(client.received, /\r\nx-engine: A\r\n.*"a":1.*\[DONE\]/s);
  assert.deepEqual([hedges('a', 'lost'), recent().url], [1, 'http://a']);
  assert.match(logged(), /http:\/\/a was late, its hedge at http:\/\/b lost\n/);
  assert.deepEqual(inflight(), [0, 0, 0]);
});

test('a second engine that fails leaves the first one its time, and a failure of both is told of the first', (t) => {
  const { ask, late, flight, hedges, inflight } = begin(t, { router: { reroutesMax: 0 } });
  const client = ask();
  late();
  flight(1).fail('reset');
  assert.equal(hedges('a', 'failed'), 1);
  assert.equal(client.received, '');
  assert.deepEqual(inflight(), [1, 0, 0]);
  late(1_000);
  flight(0).fail('syntax');
  assert.equal(client.error['message'], 'Engine A: it was syntax.');
});

test('if the first engine fails, the second one has the request alone', (t) => {
  const { ask, late, flight, flights, hedges, finish, recent, value } = begin(t);
  const client = ask();
  late();
  flight(0).fail('reset');
  assert.equal(hedges('a', 'won'), 1);
  assert.equal(value('spillway_router_reroutes_total{server="http://a"}'), 1);
  finish(1);
  assert.match(client.received, /\r\nx-engine: B\r\n.*\[DONE\]/s);
  assert.deepEqual([flights.length, recent().url], [2, 'http://b']);
});

test('a head that the second engine has sent is not that of the first one, and opens nothing', (t) => {
  const { ask, late, flight, pass } = begin(t, { sseKeepAliveSeconds: 5 });
  const client = ask();
  late();
  flight(1).head();
  pass(6_000);
  assert.equal(client.received, '');
  flight(0).head();
  pass(6_000);
  assert.match(client.received, /\r\nx-engine: A\r\n.*: keep-alive\n\n/s);
});

test('sending to a second engine keeps the head of the first one, whose comments begin', (t) => {
  const { ask, late, flight, pass } = begin(t, { sseKeepAliveSeconds: 5 });
  const client = ask();
  flight(0).head();
  late();
  pass(6_000);
  assert.match(client.received, /\r\nx-engine: A\r\n.*: keep-alive\n\n/s);
});

test('once an engine is left to its hedge, its head opens nothing', (t) => {
  const { ask, late, flight, pass, hedges, sentTo } = begin(t, {
    sseKeepAliveSeconds: 60,
    deadlines: { engineStallSeconds: 10, firstByteSeconds: 600 },
  });
  const client = ask();
  flight(0).head();
  // Two streams of A that stand still: A is stuck.
  const stuck = [1, 2].map((at) => {
    ask({ request: { pinnedUrl: 'http://a' }, isHedged: false });
    flight(at).stream('data: {"a":1}\n\n');
    return flight(at);
  });
  late();
  assert.equal(sentTo(), 'A A A B');
  for (let i = 0; i < 12; i++) pass(1_000);
  assert.equal(hedges('a', 'won'), 1);
  assert.ok(stuck.every(({ isAborted }) => isAborted));
  pass(60_000);
  assert.equal(client.received, '');
  flight(3).respond(200, '{"whole":true}');
  assert.match(client.received, /\r\nx-engine: B\r\n.*\{"whole":true\}$/s);
});

const megabyte = 1024 * 1024;

test('hedged are requests that stream, may go to any engine, keep nothing there, and are of up to 1 MiB', (t) => {
  const { ask, late, flights, finish } = begin(t);
  const isHedged = (asked: Asked) => {
    flights.length = 0;
    ask(asked);
    late(1_000);
    const { length } = flights;
    for (const at of flights.keys()) if (!flights[at]?.isAborted) finish(at);
    return length === 2;
  };
  assert.ok(isHedged({}));
  assert.ok(!isHedged({ isHedged: false }));
  assert.ok(!isHedged({ request: { stream: false } }));
  assert.ok(!isHedged({ request: { pinnedUrl: 'http://b' } }));
  assert.ok(isHedged({ body: Buffer.alloc(megabyte) }));
  assert.ok(!isHedged({ body: Buffer.alloc(megabyte + 1) }));
  assert.ok(!isHedged({ body: Buffer.from('{"kv_transfer_params":{}}') }));
});

test('while requests wait in the router, none is sent twice', (t) => {
  let isOpen = true;
  const admission = { isOpen: () => isOpen, roomMade: () => {} };
  const { ask, late, sentTo } = begin(t, { admission: admission as never });
  ask();
  isOpen = false;
  late(1_000);
  assert.equal(sentTo(), 'A');
  isOpen = true;
  late(1_000);
  assert.equal(sentTo(), 'A B');
});

test('a budget of 1 % is one hedge per hundred requests', (t) => {
  const { ask, late, sentTo, finish } = begin(t, { measured: 198, hedging: { budget: 1 } });
  ask();
  late();
  assert.equal(sentTo(), 'A B');
  finish(0);
  // The 200th request.
  ask();
  late();
  assert.equal(sentTo(), 'A B C A');
  finish(2);
  ask();
  late(1_000);
  assert.equal(sentTo(), 'A B C A B', 'the budget is spent');
});

test('a router that stops sends nothing to a second engine', (t) => {
  const { ask, late, sentTo, hedging } = begin(t);
  ask();
  hedging?.stop();
  late(1_000);
  ask();
  late(1_000);
  assert.equal(sentTo(), 'A B');
});
