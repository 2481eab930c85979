// How a response begins: what is held back until it is known whether the engine serves the request, and what the
// engine's first bytes mean.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { Client } from '../../../../test/support/client-in-memory.ts';
import { routerInMemory } from '../../../../test/support/router-in-memory.ts';
import type { Ticket } from '../../../core/routing/index.ts';
import { ProxiedRequest } from './proxied-request.ts';

function begin(context: TestContext, options: Parameters<typeof routerInMemory>[1] = {}) {
  const router = routerInMemory(context, options);
  /** What was told of the tickets, in order. */
  const told: string[] = [];
  const route = router.core.route.bind(router.core);
  context.mock.method(router.core, 'route', (...args: Parameters<typeof route>) => {
    const ticket = route(...args);
    for (const name of ['sent', 'firstByte', 'progressed', 'broke'] as const) {
      const method: Ticket[typeof name] = ticket[name].bind(ticket);
      ticket[name] = () => {
        told.push(name);
        method();
      };
    }
    return ticket;
  });
  const ask = ({
    body = '{"model":"m"}',
    id = 'r',
    pinnedUrl,
    promptTokens = 10,
    method = 'POST',
  }: {
    readonly body?: string;
    readonly id?: string;
    readonly pinnedUrl?: string;
    readonly promptTokens?: number;
    readonly method?: string;
  } = {}) => {
    const client = new Client({}, { method });
    new ProxiedRequest(router.proxy, {
      exchange: client.exchange,
      request: {
        ...{ id, model: 'm', pinnedUrl, session: undefined, prompt: [], promptTokens },
        ...{ tokens: undefined, outputTokensMax: undefined, stream: true },
      },
      ...{ body: Buffer.from(body), expectsUsage: false, generates: true },
      ...{ arrivedAtMs: router.state.nowMs, migration: undefined, isHedged: false },
    }).start();
    return client;
  };
  const firstBytes = (server: string) =>
    router.value(`spillway_router_first_byte_seconds_count{server="http://${server}"}`) ?? 0;
  return { ...router, ask, told, firstBytes };
}

const chunk = (text: string) => `${text.length.toString(16)}\r\n${text}\r\n`;
const failure = 'data: {"error":{"message":"gone","code":500}}\n\n';

test('the engine gets the request with its length, an id of its own, and its body if there is one', (t) => {
  const { ask, flight } = begin(t);
  ask({ body: '{"a":1}' });
  const { head, body } = flight(0).request;
  assert.match(head, /\r\ncontent-length: 7\r\n/i);
  assert.match(head, /\r\nx-request-id: r\r\n/i);
  assert.equal(String(body), '{"a":1}');
  ask({ body: 'x' });
  assert.equal(String(flight(1).request.body), 'x');
  ask({ body: '' });
  assert.equal(flight(2).request.body, undefined);
});

test('two attempts in flight have different ids, and an id is free again with the end of its attempt', (t) => {
  const { ask, flight } = begin(t);
  const idOf = (at: number) => /\r\nx-request-id: (.*)\r\n/i.exec(flight(at).request.head)?.[1];
  ask();
  ask();
  assert.equal(idOf(0), 'r');
  assert.notEqual(idOf(1), 'r');
  flight(0).respond(200, '{}');
  ask();
  assert.equal(idOf(2), 'r');
});

test('a request that is sent counts for its engine: by the reason of the pick, and per second', (t) => {
  const { ask, value, engines, state } = begin(t);
  for (let i = 0; i < 2; i++) ask({ pinnedUrl: 'http://a' });
  const { rate } = engines.get('http://a')?.metrics ?? assert.fail();
  const now = state.nowMs / 1000;
  assert.deepEqual(
    [now, now + 1, now + 62].map((at) => rate.perSecond(at)),
    [0, 2 / 60, 0],
  );
  assert.equal(value('spillway_router_picks_total{reason="pinned",server="http://a"}'), 2);
});

test('responses name why their engine was picked, if that is asked for', (t) => {
  const { ask, flight } = begin(t, { router: { pickHeader: true } });
  const client = ask();
  flight(0).respond(200, '{}');
  assert.match(client.received, /\r\nx-spillway-pick: \S/);
});

test('a head alone is held back, for no engine has begun to compute yet', (t) => {
  const { ask, flight, told, firstBytes } = begin(t);
  const client = ask();
  flight(0).begin();
  assert.deepEqual([client.received, firstBytes('a')], ['', 0]);
  flight(0).read(chunk('data: {"a":1}\n\n'));
  assert.match(client.received, /^HTTP\/1\.1 200 .*data: \{"a":1\}/s);
  assert.deepEqual([told, firstBytes('a')], [['sent', 'firstByte'], 1]);
});

test('a body of one byte is a first byte, and one of none is not', (t) => {
  const { ask, flight, told, firstBytes } = begin(t);
  const client = ask();
  flight(0).begin({ type: 'application/json', framing: 'until-close', text: '1' });
  assert.match(client.received, /\r\n\r\n1$/);
  assert.equal(firstBytes('a'), 1);
  flight(0).read('2');
  assert.match(client.received, /\r\n\r\n12$/);
  const empty = ask();
  told.length = 0;
  flight(1).begin({ type: 'application/json', ended: true });
  assert.ok(empty.over && empty.status === 200);
  assert.deepEqual([told, firstBytes('b')], [[], 0]);
  const silent = ask();
  flight(2).begin({ ended: true });
  assert.ok(silent.over && silent.status === 200, 'a stream without events');
  assert.equal(firstBytes('c'), 0);
});

test('the tokens of a prompt weigh on its engine until the first byte', (t) => {
  const { ask, flight, core } = begin(t);
  const prefill = () => core.endpoint('http://a')?.load.prefillTokens;
  ask();
  assert.equal(prefill(), 10);
  flight(0).stream('data: {"a":1}\n\n');
  assert.equal(prefill(), 0);
});

test('an engine has progressed with its eighth chunk', (t) => {
  const { ask, flight, told } = begin(t);
  ask();
  flight(0).stream('data: {"a":1}\n\n');
  for (let i = 2; i < 8; i++) flight(0).send(['data: {"a":1}\n\n']);
  assert.ok(!told.includes('progressed'));
  flight(0).send(['data: {"a":1}\n\n']);
  assert.deepEqual(told, ['sent', 'firstByte', 'progressed']);
});

test('an attempt that breaks is told to the policy', (t) => {
  const { ask, flight, told } = begin(t);
  ask();
  flight(0).fail('reset');
  assert.ok(told.includes('broke'));
});

test('a stream that begins with an error goes to another engine, however its bytes arrive', (t) => {
  const { ask, flight, flights } = begin(t);
  const inParts = (...parts: readonly string[]) => {
    const at = flights.length;
    const client = ask();
    const [first = '', ...more] = parts;
    flight(at).begin({ text: first });
    for (const part of more) {
      assert.equal(client.received, '');
      flight(at).read(part);
    }
    assert.ok(flight(at).isAborted);
    flight(at + 1).respond(200, '{}');
    assert.equal(client.status, 200);
    assert.ok(!client.text.includes('gone'));
  };
  inParts(chunk(failure));
  inParts('', chunk(failure));
  inParts(chunk(failure).slice(0, 14), chunk(failure).slice(14));
  inParts('', chunk(failure).slice(0, 14), chunk(failure).slice(14, 30), chunk(failure).slice(30));
});

test('a stream with the usual start passes with its first bytes, also after its head', (t) => {
  const { ask, flight } = begin(t);
  const start = chunk('data: {"id":"chatcmpl-1"}\n\n').slice(0, 14);
  assert.match(start, /data: \{"id$/);
  const client = ask();
  flight(0).begin({ text: start });
  assert.ok(client.received.endsWith(start));
  const held = ask();
  flight(1).begin();
  assert.equal(held.received, '');
  flight(1).read(start);
  assert.ok(held.received.endsWith(start));
});

test('a stream whose first bytes could begin an error is held until they do not', (t) => {
  const { ask, flight, flights } = begin(t);
  const client = ask();
  const event = chunk('data: {"event":"message_start"}\n\n');
  flight(0).begin({ text: event.slice(0, 13) });
  assert.equal(client.received, '');
  flight(0).read(event.slice(13));
  assert.ok(client.received.endsWith(event));
  flight(0).send(['data: [DONE]\n\n'], { ended: true });
  assert.ok(client.over);
  assert.equal(flights.length, 1);
});

test('a stream without chunks is read as well', (t) => {
  const { ask, flight } = begin(t);
  const client = ask();
  flight(0).begin({ framing: 'until-close', text: 'data: {"a":1}\n\n' });
  assert.ok(client.received.endsWith('data: {"a":1}\n\n'));
  ask();
  flight(1).begin({ framing: 'until-close', text: failure });
  assert.ok(flight(1).isAborted);
});

test('what begins like an error event is none in a response that is no stream, or has an error status', (t) => {
  const { ask, flight, flights } = begin(t);
  const whole = ask();
  flight(0).begin({ type: 'text/plain', framing: 'until-close', text: failure, ended: true });
  assert.equal(whole.status, 200);
  const refused = ask();
  flight(1).begin({ status: 400, text: chunk(failure) + chunk(''), ended: true });
  assert.equal(refused.status, 400);
  assert.equal(flights.length, 2);
});

test('bytes that the client has not taken yet stay as they are, except with the head, which copies them', (t) => {
  const { ask, flight } = begin(t);
  const client = ask();
  client.keepsBytes = true;
  assert.equal(flight(0).begin({ text: chunk('data: {"a":1}\n\n') }), false);
  assert.equal(flight(0).read(chunk('data: {"a":1}\n\n')), true);
  client.keepsBytes = false;
  assert.equal(flight(0).read(chunk('data: {"a":1}\n\n')), false);
  const refused = ask();
  refused.keepsBytes = true;
  assert.equal(flight(1).begin({ status: 503, type: 'application/json', text: '{}' }), false);
});

test('room at an engine is told to the queue with the first byte and with the end', (t) => {
  let rooms = 0;
  const admission = { isOpen: () => true, roomMade: () => rooms++ };
  const { ask, flight } = begin(t, { admission: admission as never });
  ask();
  flight(0).stream('data: {"a":1}\n\n');
  assert.equal(rooms, 1);
  flight(0).send(['data: [DONE]\n\n'], { ended: true });
  assert.equal(rooms, 2);
});

test('an engine that computes a long prompt is not taken for stuck while its streams wait', (t) => {
  const { ask, flight, pass } = begin(t, {
    deadlines: { engineStallSeconds: 10, firstByteSeconds: 600 },
  });
  const pinnedUrl = 'http://a';
  // 60,000 tokens take up to 30 s.
  ask({ pinnedUrl, promptTokens: 60_000 });
  for (const at of [1, 2]) {
    ask({ pinnedUrl });
    flight(at).stream('data: {"a":1}\n\n');
  }
  const seconds = (count: number) => {
    for (let i = 0; i < count; i++) pass(1_000);
  };
  seconds(25);
  assert.ok(!flight(1).isAborted);
  seconds(10);
  assert.ok(flight(1).isAborted && flight(2).isAborted);
});

// Comments on silent streams.

const open = /^HTTP\/1\.1 200 .*: keep-alive\n\n/s;

test('a response that is open already goes on with a stream of any engine', (t) => {
  const { ask, flight, pass, value } = begin(t, { sseKeepAliveSeconds: 5 });
  const client = ask();
  flight(0).begin();
  pass(5_000);
  assert.match(client.received, open);
  flight(0).fail('reset');
  assert.equal(value('spillway_router_reroutes_total{server="http://a"}'), 1);
  client.keepsBytes = true;
  assert.equal(flight(1).begin({ text: chunk('data: {"a":1}\n\n') }), true);
  flight(1).send(['data: [DONE]\n\n'], { ended: true });
  assert.match(client.received, /"a":1.*\[DONE\]/s);
  assert.equal(client.received.match(/HTTP\/1\.1/g)?.length, 1);
  const { length } = client.received;
  pass(20_000);
  assert.equal(client.received.length, length, 'no comments any more');
});

test('a response that is open ends with an error event if the engine’s is no stream', (t) => {
  const { ask, flight, pass } = begin(t, { sseKeepAliveSeconds: 5 });
  const client = ask();
  flight(0).begin();
  pass(5_000);
  flight(0).fail('reset');
  const whole = { type: 'application/json', framing: 'until-close', text: '{"whole":1}' } as const;
  client.keepsBytes = true;
  assert.equal(flight(1).begin(whole), false);
  assert.match(
    client.received,
    /"message":"Engine B: its response is no stream, and has status 200\."/,
  );
  assert.ok(client.over && !client.received.includes('whole'));
});

test('a response that is open ends with an error event if every engine fails', (t) => {
  const { ask, flight, pass, value } = begin(t, { sseKeepAliveSeconds: 5 });
  const client = ask();
  flight(0).begin();
  pass(5_000);
  flight(0).fail('reset');
  flight(1).fail('reset');
  assert.match(client.received, /\ndata: \{"error":\{"message":"Engine B: it was reset\."/);
  assert.ok(client.over && client.isLast);
  assert.equal(client.received.match(/HTTP\/1\.1/g)?.length, 1);
  const { length } = client.received;
  pass(20_000);
  assert.equal(client.received.length, length, 'no comments any more');
  assert.equal(value('spillway_router_requests_total{outcome="failed",server="http://b"}'), 1);
});

test('the head of an engine that was given up opens nothing', (t) => {
  const { ask, flight, pass } = begin(t, {
    sseKeepAliveSeconds: 30,
    deadlines: { firstByteSeconds: 20 },
  });
  const client = ask();
  flight(0).begin();
  pass(20_001);
  assert.ok(flight(0).isAborted);
  pass(15_000);
  assert.equal(client.received, '');
});
