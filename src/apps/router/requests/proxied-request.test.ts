// One proxied request, with engines and a client that do as told, and a clock that stands still: what the client
// receives, and what metrics, log and /debug/requests keep of it.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { Client } from '../../../../test/support/client-in-memory.ts';
import { routerInMemory } from '../../../../test/support/router-in-memory.ts';
import type { Rejection } from '../../../core/attempts/index.ts';
import type { Endpoint, Policy } from '../../../core/routing/index.ts';
import { ProxiedRequest, type ProxiedRequestOptions } from './proxied-request.ts';
import type { WaitingRequest } from './router-admission.ts';

interface Asked extends Partial<Omit<ProxiedRequestOptions, 'exchange' | 'request'>> {
  readonly headers?: Readonly<Record<string, string>>;
  readonly model?: string;
  readonly stream?: boolean;
}

/** A router with the live engines A, B and C of the model `m`, and `ask`, which sends it a request. */
function begin(context: TestContext, options: Parameters<typeof routerInMemory>[1] = {}) {
  const router = routerInMemory(context, options);
  const ask = ({ headers = {}, model = 'm', stream = false, ...rest }: Asked = {}) => {
    const client = new Client(headers);
    new ProxiedRequest(router.proxy, {
      exchange: client.exchange,
      request: {
        ...{ id: 'r', model, pinnedUrl: undefined, session: undefined, prompt: [] },
        ...{ promptTokens: 10, tokens: undefined, outputTokensMax: undefined, stream },
      },
      ...{ body: Buffer.from('{"model":"m"}'), expectsUsage: false, generates: true },
      ...{ arrivedAtMs: router.state.nowMs, migration: undefined, isHedged: false, ...rest },
    }).start();
    return client;
  };
  return { ...router, ask };
}

const near = (actual: number | undefined | null, expected: number, what?: string) =>
  assert.ok(Math.abs((actual ?? Number.NaN) - expected) < 1e-9, `${what}: ${actual}`);

test('a request is sent to the picked engine; its response, its time and its tokens are kept', (t) => {
  const { ask, flight, state, value, recent, core } = begin(t);
  const client = ask({ arrivedAtMs: state.nowMs - 100 });
  const { head, body, toHead } = flight(0).request;
  assert.match(head, /^POST \/v1\/chat\/completions HTTP\/1\.1\r\nhost: h\r\n/);
  assert.deepEqual([String(body), toHead], ['{"model":"m"}', false]);
  assert.equal(core.endpoint('http://a')?.load.inflight, 1);
  state.nowMs += 400;
  flight(0).respond(200, '{"usage":{"prompt_tokens":7,"completion_tokens":3}}');
  assert.ok(client.over);
  assert.match(client.received, /^HTTP\/1\.1 200 .*\r\nx-engine: A\r\n.*completion_tokens/s);
  assert.equal(core.endpoint('http://a')?.load.inflight, 0);
  assert.equal(value('spillway_router_requests_total{outcome="completed",server="http://a"}'), 1);
  assert.equal(value('vllm:num_incoming_requests_total{model="m"}'), 1);
  assert.equal(value('vllm:input_tokens_total{model="m",server="http://a"}'), 7);
  near(value('spillway_router_first_byte_seconds_sum{server="http://a"}'), 0.4);
  assert.deepEqual(recent(), {
    ...{ atSeconds: 100.4, requestId: 'r', model: 'm', url: 'http://a', engine: 'http://a' },
    ...{ outcome: 'completed', status: 200, ttftSeconds: null, seconds: 0.5, outputTokens: 3 },
    ...{ sentSeconds: 0.1, attempts: 1, promptTokens: 7, cachedTokens: null },
  });
});

test('of a stream, the times of its first token, of the gaps and of each token are kept', (t) => {
  const { ask, flight, state, value, recent, tpot } = begin(t);
  const client = ask({ stream: true, arrivedAtMs: state.nowMs - 100 });
  state.nowMs += 500;
  flight(0).stream('data: {"a":1}\n\n');
  state.nowMs += 200;
  flight(0).send(['data: {"b":1}\n\n', 'data: {"c":1}\n\n']);
  state.nowMs += 400;
  flight(0).send(['data: [DONE]\n\n'], { ended: true });
  assert.match(client.text, /data: \{"a":1\}.*\[DONE\]\n\n\r\n0\r\n\r\n$/s);
  const labels = '{model="m",server="http://a"}';
  near(value(`spillway_router_time_to_first_token_seconds_sum${labels}`), 0.6);
  near(value(`spillway_router_inter_token_latency_seconds_sum${labels}`), 0.2);
  assert.equal(value(`spillway_router_inter_token_latency_seconds_count${labels}`), 2);
  near(recent().ttftSeconds, 0.6);
  assert.equal(recent().outputTokens, null);
  // All chunks but the last have a token: two after the first, in 0.6 s.
  assert.ok(Math.abs((tpot()?.p50 ?? 0) - 0.3) < 0.02);
});

test('the time per token follows the reported tokens; a single one has none', (t) => {
  const { ask, flight, state, tpot, recent } = begin(t);
  const streamOf = (tokens: number) => {
    const attempt = state.nowMs === 100_000 ? 0 : 1;
    ask({ stream: true });
    flight(attempt).stream('data: {"a":1}\n\n');
    state.nowMs += 400;
    const usage = `"usage":{"prompt_tokens":7,"completion_tokens":${tokens}}`;
    flight(attempt).send([`data: {${usage}}\n\n`], { ended: true });
  };
  streamOf(1);
  assert.equal(recent().outputTokens, 1);
  assert.equal(tpot(), null);
  streamOf(5);
  assert.equal(recent().outputTokens, 5);
  assert.ok(Math.abs((tpot()?.p50 ?? 0) - 0.1) < 0.01, '0.4 s for four tokens');
});

test('embeddings have no first token and no time per token', (t) => {
  const { ask, flight, value, recent } = begin(t);
  ask({ generates: false, stream: true });
  flight(0).stream('data: {"a":1}\n\n');
  flight(0).send(['data: [DONE]\n\n'], { ended: true });
  const name = 'spillway_router_time_to_first_token_seconds_count';
  assert.equal(value(`${name}{model="m",server="http://a"}`), undefined);
  assert.equal(recent().ttftSeconds, null);
});

test('a request whose engine breaks before the response goes to another engine', (t) => {
  const { ask, flight, value, recent, reports, logged } = begin(t);
  const client = ask();
  flight(0).fail('reset');
  flight(1).fail('connect');
  flight(2).respond(200, '{}');
  assert.equal(client.status, 200);
  assert.deepEqual(reports, ['A suspected', 'B out: it was connect']);
  assert.equal(value('spillway_router_reroutes_total{server="http://a"}'), 1);
  assert.equal(value('spillway_router_reroutes_total{server="http://b"}'), 1);
  const errors = (server: string, kind: string) =>
    value(`vllm:request_errors_total{error_type="${kind}",model="m",server="${server}"}`);
  assert.deepEqual([errors('http://a', 'reset'), errors('http://b', 'connect')], [1, 1]);
  assert.equal(value('vllm:num_incoming_requests_total{model="m"}'), 1, 'it arrived once');
  assert.equal(recent().url, 'http://c');
  assert.match(logged(), /request r: A failed, trying B\n.*request r: B failed, trying C\n/s);
});

test('a request that two engines broke on fails with the last one’s reason', (t) => {
  const { ask, flight, flights, recent, logged, value } = begin(t);
  const client = ask();
  flight(0).fail('reset');
  flight(1).fail('syntax');
  assert.equal(flights.length, 2);
  assert.deepEqual([client.status, client.error['message']], [502, 'Engine B: it was syntax.']);
  assert.match(client.received, /\r\nX-Request-Id: r\r\n/);
  assert.match(logged(), /WARNING: request r failed at B: it was syntax/);
  assert.deepEqual([recent().outcome, recent().status, recent().url], ['failed', 502, 'http://b']);
  assert.equal(value('spillway_router_requests_total{outcome="failed",server="http://b"}'), 1);
});

test('an engine that is busy sends the request to another one', (t) => {
  const { ask, flight } = begin(t, { router: { reroutesMax: 1 } });
  const client = ask();
  flight(0).respond(503, '{"busy":1}');
  assert.equal(client.received, '');
  flight(1).respond(503, '{"busy":2}');
  assert.deepEqual([client.status, client.text], [503, '{"busy":2}']);
});

test('a stream that breaks off ends with an error event if one fits there, else with a cut', (t) => {
  const { ask, flight, value } = begin(t);
  for (const [attempt, betweenChunks] of [true, false].entries()) {
    const client = ask({ stream: true });
    flight(attempt).stream('data: {"a":1}\n\n');
    flight(attempt).betweenChunks = betweenChunks;
    flight(attempt).fail('truncated', { answered: true });
    assert.equal(client.isCut, !betweenChunks);
    assert.equal(/"message":"Engine .: it was truncated\."/.test(client.text), betweenChunks);
  }
  assert.equal(value('vllm:input_tokens_total{model="m",server="http://a"}'), 0);
});

test('token counts of a response that breaks off do not count', (t) => {
  const { ask, flight, recent } = begin(t);
  ask({ stream: true, expectsUsage: true });
  flight(0).stream('data: {"usage":{"prompt_tokens":7,"completion_tokens":3}}\n\n');
  flight(0).fail('reset', { answered: true });
  assert.deepEqual([recent().outcome, recent().outputTokens], ['failed', null]);
});

test('a stream with an error event counts as the engine’s failure', (t) => {
  const { ask, flight, value, recent } = begin(t);
  const client = ask({ stream: true });
  flight(0).stream('data: {"a":1}\n\n');
  flight(0).send(['data: {"error":{"code":500}}\n\n']);
  flight(0).send(['data: [DONE]\n\n'], { ended: true });
  assert.ok(client.over && client.text.includes('"error"'));
  const errors = 'vllm:request_errors_total{error_type="answer",model="m",server="http://a"}';
  assert.equal(value(errors), 1);
  assert.deepEqual([recent().outcome, recent().status], ['failed', 200]);
});

test('an engine that does not respond in time is left; the deadline and the wait are named', (t) => {
  const { ask, flight, pass, value } = begin(t, { deadlines: { firstByteSeconds: 10 } });
  const client = ask();
  pass(10_000);
  assert.ok(!flight(0).isAborted);
  pass(1);
  assert.ok(flight(0).isAborted);
  pass(10_001);
  assert.deepEqual(
    [client.status, client.error['message']],
    [504, 'Engine B: no response within 10.00 s.'],
  );
  const expired = (server: string) =>
    value(`spillway_router_deadlines_expired_total{deadline="firstByte",server="${server}"}`);
  assert.deepEqual([expired('http://a'), expired('http://b')], [1, 1]);
  const errors = 'vllm:request_errors_total{error_type="timeout",model="m",server="http://b"}';
  assert.equal(value(errors), 1);
});

test('a request whose own time is over is no fault of its engine', (t) => {
  const { ask, flight, pass, value } = begin(t);
  const client = ask({ headers: { 'x-envoy-upstream-rq-timeout-ms': '2000' } });
  pass(2_000);
  assert.ok(flight(0).isAborted);
  assert.equal(client.status, 504);
  assert.equal(client.error['message'], 'Engine A: the time for the request is over.');
  const errors = 'vllm:request_errors_total{error_type="timeout",model="m",server="http://a"}';
  assert.equal(value(errors), undefined);
  const total = 'spillway_router_deadlines_expired_total{deadline="total",server="http://a"}';
  assert.equal(value(total), 1);
});

test('an engine that would respond too late gets nothing, and its pick is given back', (t) => {
  const pick: Policy['pick'] = (_request, endpoints) => ({
    ...{ endpoint: endpoints[0] as Endpoint, reason: 'slow', cachedTokens: 0, scores: [] },
    predictedSeconds: 5,
  });
  const { ask, core, flights } = begin(t, { policy: { pick } });
  const ended: string[] = [];
  const route = core.route.bind(core);
  t.mock.method(core, 'route', (...args: Parameters<typeof route>) => {
    const ticket = route(...args);
    const finish = ticket.finish.bind(ticket);
    ticket.finish = (outcome) => {
      ended.push(outcome.status);
      finish(outcome);
    };
    return ticket;
  });
  const headers = { 'x-envoy-upstream-rq-timeout-ms': '2000' };
  const client = ask({ headers, stream: true });
  assert.deepEqual([client.status, flights.length, ended], [504, 0, ['cancelled']]);
});

test('a slow client pauses its engine until it reads again', (t) => {
  const { ask, flight } = begin(t);
  const client = ask({ stream: true });
  flight(0).stream('data: {"a":1}\n\n');
  client.listener?.onDrain?.();
  client.congested = true;
  flight(0).send(['data: {"b":1}\n\n']);
  assert.ok(flight(0).isPaused);
  client.congested = false;
  client.listener?.onDrain?.();
  assert.ok(!flight(0).isPaused);
  client.congested = true;
  flight(0).send(['data: [DONE]\n\n'], { ended: true });
  assert.ok(!flight(0).isPaused, 'nothing more comes');
});

test('the time that a slow client takes is not its engine’s', (t) => {
  const { ask, flight, pass } = begin(t, { deadlines: { streamIdleSeconds: 60 } });
  const client = ask({ stream: true });
  client.congested = true;
  flight(0).stream('data: {"a":1}\n\n');
  for (let i = 0; i < 3; i++) pass(50_000);
  assert.ok(!flight(0).isAborted);
  client.congested = false;
  client.listener?.onDrain?.();
  pass(1_000);
  assert.ok(!flight(0).isAborted);
  pass(61_000);
  assert.ok(flight(0).isAborted);
});

test('a stream lasts as long as its engine writes, be it a byte at a time', (t) => {
  const { ask, flight, pass } = begin(t, { deadlines: { streamIdleSeconds: 60 } });
  const client = ask({ stream: true });
  flight(0).stream('data: {"a":1}\n\n');
  for (let i = 0; i < 4; i++) {
    pass(50_000);
    flight(0).read('x', { chunks: 0 });
  }
  assert.ok(!flight(0).isAborted && client.received.endsWith('xxxx'));
  flight(0).betweenChunks = false;
  for (let i = 0; i < 3; i++) pass(50_000);
  assert.ok(flight(0).isAborted);
  assert.ok(client.isCut, 'no event fits in the middle of a chunk');
});

test('a stream whose engine falls silent between two events ends with an error event', (t) => {
  const { ask, flight, pass } = begin(t, { deadlines: { streamIdleSeconds: 60 } });
  const client = ask({ stream: true });
  flight(0).stream('data: {"a":1}\n\n');
  for (let i = 0; i < 3; i++) pass(50_000);
  assert.match(client.text, /"code":502\}\}\n\n/);
  assert.ok(!client.isCut && client.isLast);
});

test('a connection that takes too long counts as one that breaks', (t) => {
  const { ask, flight, reports } = begin(t);
  const client = ask();
  flight(0).fail('timeout');
  assert.deepEqual(reports, ['A suspected']);
  flight(1).respond(200, '{}');
  assert.equal(client.status, 200);
});

test('a client that leaves frees its engine, and counts as nobody’s failure', (t) => {
  const { ask, flight, recent, value, core } = begin(t);
  const client = ask();
  client.listener?.onClientGone?.();
  assert.ok(flight(0).isAborted);
  assert.deepEqual([recent().outcome, recent().status], ['cancelled', 499]);
  assert.equal(value('spillway_router_requests_total{outcome="cancelled",server="http://a"}'), 1);
  assert.equal(core.endpoint('http://a')?.load.inflight, 0);
});

test('a router that stops says so: before a response with 503, within a stream with an event', (t) => {
  const { ask, flight } = begin(t);
  const waiting = ask();
  waiting.listener?.onStop?.();
  assert.deepEqual(
    [waiting.status, waiting.error['message']],
    [503, 'The router is shutting down.'],
  );
  const client = ask({ stream: true });
  flight(1).stream('data: {"a":1}\n\n');
  client.listener?.onStop?.();
  assert.match(client.text, /"message":"The router is shutting down\."/);
  const halfway = ask({ stream: true });
  flight(2).stream('data: {"a":1}\n\n');
  flight(2).betweenChunks = false;
  halfway.listener?.onStop?.();
  assert.ok(halfway.isCut);
});

test('a request without an engine is refused: with 404 for an unknown model, with 503 if no engine is live', (t) => {
  const { ask, core, value, recent, flights } = begin(t);
  const unknown = ask({ model: 'x' });
  assert.deepEqual([unknown.status, unknown.error['param']], [404, 'model']);
  assert.equal(value('spillway_router_refused_requests_total{model="unknown"}'), 1);
  assert.deepEqual(
    [recent().outcome, recent().status, recent().url, recent().model],
    ['failed', 404, null, 'x'],
  );
  for (const url of ['http://a', 'http://b', 'http://c']) core.setState(url, 'dead', 'gone');
  const without = ask();
  assert.deepEqual([without.status, without.error['param']], [503, null]);
  assert.equal(value('spillway_router_refused_requests_total{model="m"}'), 1);
  assert.equal(flights.length, 0);
});

test('a policy that throws is an error of the router, with the reason in its log only', (t) => {
  const pick = () => {
    throw new Error('a bug');
  };
  const { ask, logged } = begin(t, { policy: { pick } });
  const client = ask();
  assert.deepEqual(
    [client.status, client.error['message']],
    [500, 'The router failed; see its log.'],
  );
  assert.match(logged(), /ERROR: request r: Error: a bug/);
});

test('each attempt is logged with its engine and the time since the request arrived', (t) => {
  const { ask, flight, state, logged } = begin(t);
  ask({ arrivedAtMs: state.nowMs - 250 });
  flight(0).respond(200, '{}');
  const [, took] =
    /Routing request r with session id None to http:\/\/a at ([\d.]+, process time = [\d.]+)\n/.exec(
      logged(),
    ) ?? [];
  const at = (performance.timeOrigin + state.nowMs) / 1000;
  assert.equal(took, `${at}, process time = 0.2500`);
});

test('while engines are saturated, a request that generates text waits for admission', (t) => {
  const waiting: WaitingRequest[] = [];
  const left: unknown[] = [];
  const place = {};
  const admission = {
    isOpen: () => false,
    enter: (one: WaitingRequest) => {
      waiting.push(one);
      return place;
    },
    leave: (one: unknown) => left.push(one),
    roomMade: () => {},
  };
  const { ask, flights, flight, value } = begin(t, { admission: admission as never });
  const headers = { 'x-stainless-timeout': '30' };
  const first = ask({ headers, priority: 3 });
  const impatient = { ...headers, 'x-envoy-upstream-rq-timeout-ms': '2000' };
  ask({ headers: impatient, stream: true }).listener?.onClientGone?.();
  assert.equal(waiting.splice(1, 1)[0]?.patienceSeconds, 2);
  left.length = 0;
  assert.equal(flights.length, 0);
  assert.deepEqual([waiting[0]?.patienceSeconds, waiting[0]?.priority], [31, 3]);
  waiting[0]?.admitted();
  flight(0).respond(200, '{}');
  assert.equal(first.status, 200);
  assert.deepEqual(left, [place]);
  const second = ask();
  const rejection: Rejection = { reason: 'full', status: 429, retryAfterSeconds: 7 };
  waiting[1]?.rejected(rejection);
  assert.deepEqual([second.status, second.error['code']], [429, 'queue_full']);
  assert.match(second.received, /\r\nRetry-After: 7\r\n/);
  assert.equal(value('spillway_router_refused_requests_total{model="m"}'), 1);
  ask({ generates: false });
  assert.equal(flights.length, 2, 'embeddings do not wait');
});
