// A stream that moves from engine A to B: what the client gets, what B is asked, and what is kept of it.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { Client } from '../../../../test/support/client-in-memory.ts';
import { routerInMemory } from '../../../../test/support/router-in-memory.ts';
import type { RoutingRequest } from '../../../core/routing/index.ts';
import { ProxiedRequest } from './proxied-request.ts';
import type { MigrationPlan } from './stream-migration.ts';

const promptIds = [1, 2, 3];
/** Ids of the response's tokens: 100, 101, … */
const idOf = (token: number) => 100 + token;

/** The events of tokens `from` to `to` as an engine writes them; the first of all, if it begins there. */
function events(from: number, to: number, { begins = true, ends = false } = {}): string[] {
  const shared = { id: 'chatcmpl-1', object: 'chat.completion.chunk', created: 1, model: 'm' };
  const event = (choice: object, rest: object = {}) =>
    `data: ${JSON.stringify({ ...shared, choices: [{ index: 0, ...choice }], ...rest })}\n\n`;
  const opening = { delta: { role: 'assistant', content: '' }, logprobs: null };
  const prompt = [...promptIds, ...Array.from({ length: from }, (_, token) => idOf(token))];
  const tokens = Array.from({ length: to - from }, (_, i) => {
    const token = from + i;
    const finish = ends && token === to - 1 ? 'stop' : null;
    return event({
      ...{ delta: { content: `t${token} ` }, logprobs: null, finish_reason: finish },
      token_ids: [idOf(token)],
    });
  });
  const first = event({ ...opening, finish_reason: null }, { prompt_token_ids: prompt });
  return [...(begins ? [first] : []), ...tokens, ...(ends ? ['data: [DONE]\n\n'] : [])];
}

const textOf = (client: Client) =>
  [...client.text.matchAll(/"content":"(t\d+ )"/g)].map(([, text]) => text).join('');
const words = (count: number) => Array.from({ length: count }, (_, i) => `t${i} `).join('');

function begin(context: TestContext, options: Parameters<typeof routerInMemory>[1] = {}) {
  const router = routerInMemory(context, options);
  const routed: RoutingRequest[] = [];
  const route = router.core.route.bind(router.core);
  context.mock.method(router.core, 'route', (request: RoutingRequest, tried?: Set<string>) => {
    routed.push(request);
    return route(request, tried);
  });
  const ask = ({
    body = {},
    migration = { kind: 'chat', hidesIds: true },
    outputTokensMax,
    minorVersion = 1,
  }: {
    readonly body?: object;
    readonly migration?: MigrationPlan;
    readonly outputTokensMax?: number;
    readonly minorVersion?: 0 | 1;
  } = {}) => {
    const client = new Client({}, { minorVersion });
    new ProxiedRequest(router.proxy, {
      exchange: client.exchange,
      request: {
        ...{ id: 'r', model: 'm', pinnedUrl: undefined, session: undefined, prompt: [] },
        ...{ promptTokens: 10, tokens: undefined, outputTokensMax, stream: true },
      },
      body: Buffer.from(JSON.stringify({ model: 'm', stream: true, messages: [], ...body })),
      ...{ expectsUsage: false, generates: true, arrivedAtMs: router.state.nowMs },
      ...{ migration, isHedged: false },
    }).start();
    return client;
  };
  /** What an engine was asked. */
  const asked = (at: number) => {
    const { head, body } = router.flight(at).request;
    return JSON.parse(head.slice(head.indexOf('\r\n\r\n') + 4) + String(body ?? ''));
  };
  const migrations = (outcome: string, reason: string) =>
    router.value(
      `spillway_router_stream_migrations_total{outcome="${outcome}",reason="${reason}"}`,
    );
  /** An engine writes these events, from its head on. */
  const writes = (at: number, [first = '', ...more]: readonly string[], ended = false) => {
    router.flight(at).stream(first);
    router.flight(at).send(more, { ended });
  };
  return { ...router, routed, ask, asked, migrations, writes };
}

test('the next engine gets the tokens that the client has, and writes the rest', (t) => {
  const router = begin(t);
  const { ask, asked, flight, migrations, writes, recent, routed, value } = router;
  const client = ask({ outputTokensMax: 50 });
  assert.equal(asked(0).return_token_ids, true);
  writes(0, events(0, 4));
  assert.equal(textOf(client), words(4));
  assert.match(client.text, /"token_ids":null/);
  assert.ok(!/token_ids":\[/.test(client.text), 'the client did not ask for them');
  flight(0).fail('reset', { answered: true });
  const { kv_transfer_params: params } = asked(1);
  assert.deepEqual(params.prompt_token_ids, [...promptIds, 100, 101, 102, 103]);
  const [first, second] = routed;
  assert.deepEqual([first?.promptTokens, first?.outputTokensMax], [10, 50]);
  assert.deepEqual([second?.promptTokens, second?.outputTokensMax], [14, 46]);
  assert.equal(migrations('moved', 'reset'), undefined, 'nothing has come yet');
  writes(1, events(4, 7, { ends: true }), true);
  assert.equal(textOf(client), words(7));
  assert.ok(client.text.endsWith('data: [DONE]\n\n\r\n0\r\n\r\n') && client.over && !client.isCut);
  assert.equal(migrations('moved', 'reset'), 1);
  assert.equal(client.text.match(/"role":"assistant"/g)?.length, 1);
  const { outcome, url, outputTokens } = recent();
  assert.deepEqual([outcome, url, outputTokens], ['completed', 'http://b', 7]);
  const reroutes = value('spillway_router_reroutes_total{server="http://a"}');
  assert.ok(!reroutes, 'it counts among the migrations');
  assert.equal(router.proxy.migration.memory.bytes, 0);
});

test('a request without a limit of its output has none at the next engine', (t) => {
  const { ask, flight, writes, routed } = begin(t);
  ask();
  writes(0, events(0, 2));
  flight(0).fail('reset', { answered: true });
  assert.deepEqual([routed[1]?.promptTokens, routed[1]?.outputTokensMax], [12, undefined]);
});

test('an engine that reports an error within its stream is left, and the report is not passed on', (t) => {
  const { ask, flight, migrations, writes, reports, value } = begin(t);
  const client = ask();
  writes(0, events(0, 4));
  flight(0).send(['data: {"error":{"message":"out of memory","code":500}}\n\n']);
  assert.ok(flight(0).isAborted);
  assert.deepEqual(reports, ['A suspected']);
  const errors = 'vllm:request_errors_total{error_type="answer",model="m",server="http://a"}';
  assert.equal(value(errors), 1);
  writes(1, events(4, 6, { ends: true }), true);
  assert.equal(textOf(client), words(6));
  assert.ok(!client.text.includes('out of memory'));
  assert.equal(migrations('moved', 'event'), 1);
});

test('an engine that ends its stream early is left, too', (t) => {
  const { ask, flight, writes, migrations } = begin(t);
  const client = ask();
  writes(0, events(0, 3));
  flight(0).send([], { ended: true });
  writes(1, events(3, 5, { ends: true }), true);
  assert.equal(textOf(client), words(5));
  assert.equal(migrations('moved', 'event'), 1);
});

test('if no other engine can continue, the engine’s own last events are passed on, and its failure is counted', (t) => {
  const { ask, flight, flights, migrations, writes, recent } = begin(t);
  const client = ask({ body: { n: 2 } });
  writes(0, events(0, 2));
  const report = 'data: {"error":{"message":"out of memory","code":500}}\n\n';
  flight(0).send([report, 'data: [DONE]\n\n'], { ended: true });
  assert.equal(flights.length, 1);
  assert.ok(!flight(0).isAborted);
  assert.match(client.text, /out of memory.*\[DONE\]\n\n\r\n0\r\n\r\n$/s);
  assert.ok(client.over && !client.isCut);
  assert.equal(migrations('declined', 'choices'), 1);
  assert.equal(recent().outcome, 'failed');
});

test('a response of which only its end is missing is completed by the router', (t) => {
  const { ask, flight, flights, migrations, writes, recent } = begin(t);
  const client = ask();
  writes(0, events(0, 3, { ends: true }).slice(0, -1));
  flight(0).fail('reset', { answered: true });
  assert.equal(flights.length, 1);
  assert.ok(client.text.endsWith('data: [DONE]\n\n\r\n0\r\n\r\n') && client.over);
  assert.equal(migrations('completed', 'reset'), 1);
  assert.deepEqual([recent().outcome, recent().status], ['completed', 200]);
});

test('if no engine is left, the stream ends with an error event wherever the engine stopped', (t) => {
  const { ask, flight, core, writes, migrations } = begin(t);
  for (const url of ['http://b', 'http://c']) core.setState(url, 'dead', 'gone');
  const client = ask();
  writes(0, events(0, 2));
  flight(0).betweenChunks = false;
  flight(0).fail('reset', { answered: true });
  assert.match(client.text, /"message":"Engine A: it was reset\.".*"code":502/);
  assert.ok(client.over && !client.isCut);
  assert.equal(migrations('failed', 'engines'), 1);
});

test('a next engine that responds with no stream ends the response', (t) => {
  const { ask, flight, writes, migrations, value } = begin(t);
  const client = ask();
  writes(0, events(0, 2));
  flight(0).fail('reset', { answered: true });
  flight(1).respond(200, '{"whole":true}');
  assert.match(client.text, /"message":"Engine B: its response is no stream\."/);
  assert.ok(!client.text.includes('whole') && client.over);
  assert.ok(flight(1).isAborted);
  assert.equal(migrations('failed', 'mismatch'), 1);
  assert.equal(migrations('moved', 'reset'), undefined);
  const errors = 'vllm:request_errors_total{error_type="answer",model="m",server="http://b"}';
  assert.equal(value(errors), 1);
});

test('a next engine that refuses ends the response', (t) => {
  const { ask, flight, writes, migrations } = begin(t);
  const client = ask();
  writes(0, events(0, 2));
  flight(0).fail('reset', { answered: true });
  flight(1).respond(400, '{"error":{}}');
  assert.match(client.text, /data: \{"error":/);
  assert.ok(client.over && !client.isCut);
  assert.equal(migrations('failed', 'refused'), 1);
});

test('a next engine that did not take the tokens is left, and does not count as a move', (t) => {
  const { ask, flight, writes, migrations } = begin(t);
  const client = ask();
  writes(0, events(0, 3));
  flight(0).fail('reset', { answered: true });
  // Its prompt has no tokens of the response.
  writes(1, events(0, 2));
  assert.ok(flight(1).isAborted);
  assert.equal(migrations('failed', 'mismatch'), 1);
  assert.match(client.text, /data: \{"error":/);
  assert.equal(textOf(client), words(3));
});

test('a response that is no stream of chunks passes as it is, and cannot move', (t) => {
  const { ask, flight, flights, migrations } = begin(t);
  const whole = ask();
  flight(0).respond(200, '{"choices":[]}');
  assert.ok(whole.received.endsWith('{"choices":[]}'));
  const old = ask({ minorVersion: 0 });
  const [opening = '', token = ''] = events(0, 1);
  flight(1).stream(opening);
  flight(1).send([token]);
  flight(1).fail('reset', { answered: true });
  assert.equal(flights.length, 2);
  assert.equal(migrations('declined', 'response'), 1);
  assert.equal(textOf(old), 't0 ');
});

test('an error in place of a stream is passed on as it is', (t) => {
  const { ask, flight, writes, core } = begin(t);
  for (const url of ['http://b', 'http://c']) core.setState(url, 'dead', 'gone');
  const client = ask();
  const report = 'data: {"error":{"message":"out of memory","code":500}}\n\n';
  writes(0, [report, 'data: [DONE]\n\n'], true);
  assert.match(client.text, /out of memory.*\[DONE\]/s);
  assert.ok(!flight(0).isAborted && client.over);
});

test('a router that stops ends a stream that could move with an event, wherever it is', (t) => {
  const { ask, flight, flights, writes } = begin(t);
  const client = ask();
  writes(0, events(0, 2));
  flight(0).betweenChunks = false;
  client.listener?.onStop?.();
  assert.match(client.text, /"message":"The router is shutting down\."/);
  assert.ok(!client.isCut);
  assert.equal(flights.length, 1);
});

test('an event that arrives in parts is passed on once it is whole', (t) => {
  const { ask, flight } = begin(t);
  const client = ask();
  const [opening = '', token = ''] = events(0, 1);
  flight(0).stream(opening);
  const had = client.text;
  flight(0).betweenChunks = false;
  const chunk = `${token.length.toString(16)}\r\n${token}\r\n`;
  flight(0).read(chunk.slice(0, 30));
  assert.equal(client.text, had);
  flight(0).betweenChunks = true;
  flight(0).read(chunk.slice(30));
  assert.equal(textOf(client), 't0 ');
});

test('a stream that begins with a comment can move, too', (t) => {
  const { ask, flight, migrations, writes } = begin(t);
  const client = ask();
  const comment = ': a comment of the engine\n\n';
  writes(0, [comment, ...events(0, 2)]);
  flight(0).fail('reset', { answered: true });
  writes(1, events(2, 4, { ends: true }), true);
  assert.equal(textOf(client), words(4));
  assert.equal(migrations('moved', 'reset'), 1);
});

test('a response whose first event is not whole begins with its head', (t) => {
  const { ask, flight } = begin(t);
  const client = ask();
  const [opening = ''] = events(0, 0);
  const chunk = `${opening.length.toString(16)}\r\n${opening}\r\n`;
  flight(0).betweenChunks = false;
  flight(0).begin({ text: chunk.slice(0, 40) });
  assert.match(client.received, /^HTTP\/1\.1 200 .*\r\n\r\n$/s);
  flight(0).betweenChunks = true;
  flight(0).read(chunk.slice(40));
  assert.match(client.received, /\r\n\r\n[0-9a-f]+\r\ndata: \{.*"assistant"/s);
});

test('what is changed on its way is a copy, so that the engine’s bytes need not stay', (t) => {
  const { ask, flight, writes } = begin(t);
  const client = ask();
  client.keepsBytes = true;
  writes(0, events(0, 3));
  flight(0).fail('reset', { answered: true });
  const [opening = '', token = ''] = events(3, 4);
  const framed = (text: string) => `${text.length.toString(16)}\r\n${text}\r\n`;
  assert.equal(flight(1).begin({ text: framed(opening) + framed(token) }), false);
  const [, next = ''] = events(4, 5);
  assert.equal(flight(1).read(framed(next)), false);
  assert.equal(textOf(client), words(5));
});

test('a client that reads slowly does not pause the engine that takes over', (t) => {
  const { ask, flight, writes } = begin(t);
  const client = ask();
  writes(0, events(0, 2));
  client.congested = true;
  flight(0).send(['data: {"error":{"message":"out of memory","code":500}}\n\n']);
  assert.ok(!flight(1).isPaused);
});

test('a stream can move twice', (t) => {
  const { ask, asked, flight, writes, migrations, routed } = begin(t);
  const client = ask();
  writes(0, events(0, 9));
  flight(0).fail('reset', { answered: true });
  writes(1, events(9, 18));
  flight(1).fail('reset', { answered: true });
  const ids = Array.from({ length: 18 }, (_, token) => idOf(token));
  assert.deepEqual(asked(2).kv_transfer_params.prompt_token_ids, [...promptIds, ...ids]);
  assert.equal(routed[2]?.promptTokens, 28);
  writes(2, events(18, 20, { ends: true }), true);
  assert.equal(textOf(client), words(20));
  assert.equal(migrations('moved', 'reset'), 2);
});

test('a stream that was declined for a reason of its request keeps that reason', (t) => {
  const { ask, flight, migrations, writes } = begin(t);
  const client = ask({ migration: 'ids' });
  writes(0, events(0, 2));
  assert.match(client.text, /"token_ids":\[100\]/);
  flight(0).fail('reset', { answered: true });
  assert.equal(migrations('declined', 'ids'), 1);
});

test('a read that ends with an event, but not with its chunk, waits for the end of the chunk', (t) => {
  const { ask, asked, flight, migrations } = begin(t);
  const client = ask();
  const [opening = '', first = '', second = ''] = events(0, 2);
  const framed = (text: string) => `${text.length.toString(16)}\r\n${text}\r\n`;
  flight(0).begin({ text: framed(opening) });
  flight(0).betweenChunks = false;
  flight(0).read(framed(first).slice(0, -2));
  assert.equal(textOf(client), '');
  flight(0).betweenChunks = true;
  flight(0).read(`\r\n${framed(second)}`);
  assert.equal(textOf(client), words(2));
  assert.doesNotMatch(client.text, /"token_ids":\[/);
  flight(0).fail('reset', { answered: true });
  assert.deepEqual(asked(1).kv_transfer_params.prompt_token_ids, [...promptIds, 100, 101]);
  assert.equal(migrations('declined', 'tokens'), undefined);
});
