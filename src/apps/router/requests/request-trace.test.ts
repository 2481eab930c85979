// The trace of a request: which spans are exported, what they say, and what engines and clients get of it.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { Client } from '../../../../test/support/client-in-memory.ts';
import { routerInMemory } from '../../../../test/support/router-in-memory.ts';
import type { Pick, PickCause } from '../../../core/routing/index.ts';
import {
  formatTraceparent,
  Sampler,
  type Span,
  type SpanEvent,
} from '../../../core/telemetry/index.ts';
import type { Tracing } from '../../../io/otlp/index.ts';
import { ResponseEngines } from '../responses/response-engines.ts';
import type { PromptTokens } from '../tokens/prompt-tokens.ts';
import { type ForwardedRoute, InferenceRequests } from './inference-requests.ts';
import { ProxiedRequest } from './proxied-request.ts';
import { RequestTrace } from './request-trace.ts';

const traceId = '0af7651916cd43dd8448eb211c80319c';
const callerSpan = 'b7ad6b7169203331';
const traceparent = `00-${traceId}-${callerSpan}-01`;
/** Unix time of the frozen clock of `routerInMemory`, which stands at 100 s. */
const unixAtStart = 1_764_000_000_000;

interface Asked {
  readonly headers?: Readonly<Record<string, string>>;
  readonly target?: string;
  readonly model?: string | undefined;
  readonly waitedMs?: number;
}

/** A router that traces this share of its requests, and what it exports. */
function begin(
  context: TestContext,
  {
    share = 1,
    expensiveSeconds = Infinity,
    inputUsdPerMillion = 1_000,
    outputUsdPerMillion = 10_000,
    reroutesMax = 2,
  } = {},
) {
  const exported: { readonly spans: readonly Span[]; readonly keptFor: string }[] = [];
  let ids = 0;
  const sampler = new Sampler({
    ...{ share, expensiveSeconds, expensiveUsd: 1 },
    ...{ inputUsdPerMillion, outputUsdPerMillion },
  });
  const spanId = () => `${++ids}`.padStart(16, '0');
  const ownTrace = 'f'.repeat(32);
  const tracing: Tracing = {
    ids: { traceId: () => ownTrace, spanId },
    newTrace: () => formatTraceparent(ownTrace, spanId(), sampler.head(ownTrace, undefined)),
    sampler,
    exporter: {
      addLater: (make: () => readonly Span[], keptFor: string) =>
        exported.push({ spans: make().map(withShared), keptFor }),
    },
    unixMs: () => unixAtStart + router.state.nowMs - 100_000,
  } as unknown as Tracing;
  const router = routerInMemory(context, { tracing, router: { reroutesMax } });
  const ask = ({
    headers = {},
    target = '/v1/chat/completions?a=b',
    waitedMs = 0,
    ...rest
  }: Asked = {}) => {
    const model = 'model' in rest ? rest.model : 'm';
    const client = new Client(headers, { target });
    new ProxiedRequest(router.proxy, {
      exchange: client.exchange,
      request: {
        ...{ id: 'r', model, pinnedUrl: undefined, session: undefined, prompt: [] },
        ...{ promptTokens: 10, tokens: undefined, outputTokensMax: 50, stream: true },
      },
      ...{ body: Buffer.from('{}'), expectsUsage: false, generates: true },
      ...{ arrivedAtMs: router.state.nowMs - waitedMs, migration: undefined, isHedged: false },
    }).start();
    return client;
  };
  return { ...router, ask, exported, spans: () => exported.at(-1)?.spans ?? assert.fail() };
}

/** With shared attributes among its own. */
function withShared(span: Span): Span {
  const merged = <T extends Span | SpanEvent>(part: T): T => {
    return { ...part, attributes: Object.assign({}, ...(part.shared ?? []), part.attributes) };
  };
  return { ...merged(span), events: span.events.map(merged) };
}

const usage = '{"usage":{"prompt_tokens":7,"completion_tokens":3}}';

test('a request has a span of its own and one for its engine, with their times and its tokens', (t) => {
  const { ask, flight, state, spans, exported } = begin(t);
  ask({ waitedMs: 100 });
  state.nowMs += 400;
  flight(0).begin({ type: 'application/json', framing: 'until-close', text: '{' });
  state.nowMs += 500;
  flight(0).read(usage, { ended: true });
  assert.equal(exported[0]?.keptFor, 'sampled');
  const [server, client, ...others] = spans();
  assert.ok(server !== undefined && client !== undefined);
  assert.equal(others.length, 0);
  assert.deepEqual(
    [server.name, server.kind, server.traceId, server.parentSpanId, server.isParentRemote],
    ['POST /v1/chat/completions', 'server', 'f'.repeat(32), undefined, false],
  );
  assert.deepEqual([server.startMs, server.endMs], [unixAtStart - 100, unixAtStart + 900]);
  assert.deepEqual([server.error, server.traceState], [undefined, undefined]);
  assert.match(server.spanId, /^\d{16}$/);
  const of = (span: Span, name: string) => span.attributes[name];
  assert.deepEqual(
    ['http.request.method', 'http.route', 'url.path', 'http.response.status_code'].map((name) =>
      of(server, name),
    ),
    ['POST', '/v1/chat/completions', '/v1/chat/completions', 200],
  );
  assert.deepEqual(
    ['request.id', 'outcome', 'kept_for', 'attempts', 'queue_seconds'].map((name) =>
      of(server, `spillway.${name}`),
    ),
    ['r', 'completed', 'sampled', 1, 0.1],
  );
  for (const span of [server, client]) {
    assert.deepEqual(
      ['operation.name', 'request.model', 'request.max_tokens'].map((name) =>
        of(span, `gen_ai.${name}`),
      ),
      ['chat', 'm', 50],
    );
    assert.equal(of(span, 'gen_ai.usage.input_tokens'), 7);
    assert.equal(of(span, 'gen_ai.usage.output_tokens'), 3);
  }
  const [event] = server.events;
  assert.deepEqual([event?.name, event?.atMs], ['spillway.attempt', unixAtStart]);
  assert.equal(event?.attributes?.['spillway.attempt.number'], 1);
  assert.equal(event?.attributes?.['spillway.engine.url'], 'http://a');
  assert.deepEqual(
    [client.name, client.kind, client.parentSpanId, client.isParentRemote, client.error],
    ['chat m', 'client', server.spanId, false, undefined],
  );
  assert.deepEqual([client.startMs, client.endMs], [unixAtStart, unixAtStart + 900]);
  assert.deepEqual(client.events, []);
  assert.deepEqual(
    [
      'url.full',
      'http.request.method',
      'http.response.status_code',
      'server.address',
      'server.port',
    ].map((name) => of(client, name)),
    ['http://a/v1/chat/completions', 'POST', 200, 'h', 80],
  );
  assert.deepEqual(
    ['outcome', 'first_byte_seconds', 'engine', 'engine.url'].map((name) =>
      of(client, `spillway.${name}`),
    ),
    ['completed', 0.4, 'A', 'http://a'],
  );
  assert.equal(typeof of(client, 'spillway.pick.cause'), 'string');
  assert.equal(typeof of(client, 'spillway.pick.reason'), 'string');
  assert.equal(of(client, 'spillway.pick.expected_cached_tokens'), 0);
});

test('the trace of the client goes on, and each engine gets a span of it', (t) => {
  const { ask, flight, spans } = begin(t);
  ask({ headers: { traceparent, tracestate: 'a=1,b=2' } });
  const sentOf = (at: number) =>
    [...flight(at).request.head.matchAll(/\r\ntraceparent: (\S+)/gi)].map(([, value]) => value);
  flight(0).fail('reset');
  flight(1).respond(200, '{}');
  const [server, first, second] = spans();
  assert.deepEqual(
    [server?.traceId, server?.parentSpanId, server?.isParentRemote, server?.traceState],
    [traceId, callerSpan, true, 'a=1,b=2'],
  );
  assert.deepEqual([first?.traceState, first?.isParentRemote], ['a=1,b=2', false]);
  assert.deepEqual(sentOf(0), [`00-${traceId}-${first?.spanId}-01`]);
  assert.deepEqual(sentOf(1), [`00-${traceId}-${second?.spanId}-01`]);
  assert.equal(new Set([server?.spanId, first?.spanId, second?.spanId]).size, 3);
});

test('an invalid traceparent is none, and a tracestate without one does not count', (t) => {
  const { ask, flight, spans } = begin(t);
  ask({ headers: { traceparent: 'nonsense', tracestate: 'a=1' } });
  flight(0).respond(200, '{}');
  const [server] = spans();
  assert.deepEqual([server?.traceId, server?.traceState], ['f'.repeat(32), undefined]);
});

test('an attempt that failed tells why, and only the last one has the tokens', (t) => {
  const { ask, flight, spans, state } = begin(t);
  ask();
  state.nowMs += 200;
  flight(0).fail('reset');
  state.nowMs += 300;
  flight(1).respond(200, usage);
  const [server, first, second] = spans();
  assert.deepEqual(
    [first?.error, second?.error, server?.error],
    ['it was reset', undefined, undefined],
  );
  assert.deepEqual([first?.endMs, second?.startMs], [unixAtStart + 200, unixAtStart + 200]);
  assert.equal(first?.attributes['spillway.outcome'], 'failed');
  assert.equal(first?.attributes['gen_ai.usage.input_tokens'], undefined);
  assert.equal(second?.attributes['gen_ai.usage.input_tokens'], 7);
  assert.equal(first?.attributes['gen_ai.request.model'], 'm');
  assert.equal(server?.attributes['spillway.attempts'], 2);
  assert.deepEqual(
    server?.events.map(({ attributes }) => attributes?.['spillway.attempt.number']),
    [1, 2],
  );
});

test('a failed request is kept whatever the share is, and its span is an error if the server is at fault', (t) => {
  const { ask, flight, exported, spans } = begin(t, { share: 0 });
  ask();
  flight(0).respond(200, '{}');
  assert.equal(exported.length, 0, 'not sampled');
  ask();
  assert.match(flight(1).request.head, /\r\ntraceparent: 00-f{32}-\d{16}-00\r\n/i);
  flight(1).fail('reset');
  flight(2).fail('reset');
  assert.equal(exported.at(-1)?.keptFor, 'error');
  assert.equal(spans()[0]?.error, 'it was reset');
  ask();
  flight(3).respond(400, '{}');
  assert.equal(exported.length, 2);
  assert.deepEqual(
    [spans()[0]?.error, spans()[0]?.attributes['http.response.status_code']],
    [undefined, 400],
  );
  ask();
  flight(4).respond(501, '{}');
  assert.equal(exported.length, 3);
  assert.equal(spans()[0]?.error, 'status 501');
  assert.equal(spans()[1]?.attributes['http.response.status_code'], 501);
});

test('a stream that breaks off after status 200 is an error; a client that leaves is none', (t) => {
  const { ask, flight, exported, spans } = begin(t, { share: 0 });
  const left = ask();
  left.listener?.onClientGone?.();
  assert.equal(exported.length, 0);
  ask();
  flight(1).stream('data: {"a":1}\n\n');
  flight(1).fail('reset', { answered: true });
  assert.equal(exported.length, 1);
  assert.equal(spans()[0]?.error, 'it was reset');
  assert.equal(spans()[0]?.attributes['http.response.status_code'], 200);
});

test('a request that is expensive is kept: by its time, or by its tokens', (t) => {
  const slow = begin(t, { share: 0, expensiveSeconds: 2 });
  for (const ms of [1_999, 2_000]) {
    slow.ask();
    slow.state.nowMs += ms;
    slow.flight(slow.flights.length - 1).respond(200, '{}');
  }
  assert.deepEqual(
    slow.exported.map(({ keptFor }) => keptFor),
    ['expensive'],
  );
  const respond = (inputs: number, outputs: number) => {
    const before = slow.exported.length;
    slow.ask();
    const text = `{"usage":{"prompt_tokens":${inputs},"completion_tokens":${outputs}}}`;
    slow.flight(slow.flights.length - 1).respond(200, text);
    return slow.exported.length > before;
  };
  // A dollar is 1,000 tokens of input or 100 of output.
  assert.deepEqual([respond(999, 0), respond(1_000, 0)], [false, true]);
  assert.deepEqual([respond(0, 99), respond(0, 100), respond(500, 50)], [false, true, true]);
});

test('a request without an engine has one span; its model and prompt are those that it asks for', (t) => {
  const { ask, spans } = begin(t);
  ask({ model: 'unknown', target: '/v1/rerank' });
  const [server, ...clients] = spans();
  assert.equal(clients.length, 0);
  assert.deepEqual(
    [server?.name, server?.error, server?.attributes['spillway.queue_seconds']],
    ['POST /v1/rerank', undefined, undefined],
  );
  assert.equal(server?.attributes['gen_ai.request.model'], 'unknown');
  assert.equal(server?.attributes['gen_ai.operation.name'], undefined);
});

test('a span towards an engine is named by the method where the API has no operation', (t) => {
  const { ask, flight, spans } = begin(t);
  ask({ target: '/v1/rerank' });
  flight(0).respond(200, '{}');
  assert.equal(spans()[1]?.name, 'POST m');
});

test('a request that cannot be read is traced as well', (t) => {
  const { proxy, spans, engines, state } = begin(t);
  const tokens = { of: () => undefined } as unknown as PromptTokens;
  const requests = new InferenceRequests(proxy, {
    ...{ engines, tokens, sessionKey: undefined },
    responseEngines: new ResponseEngines({ nowSeconds: () => 0 }),
  });
  t.after(() => requests.close());
  const client = new Client({ traceparent }, { body: '{"model":' });
  const route: ForwardedRoute = {
    ...{ kind: 'json', generates: true, promptKind: 'chat', isHedged: false, isSalted: true },
    movingStream: undefined,
  };
  requests.take(client.exchange, route, state.nowMs - 50);
  assert.equal(client.status, 400);
  const [server, ...clients] = spans();
  assert.equal(clients.length, 0);
  assert.deepEqual(
    [server?.traceId, server?.startMs, server?.endMs, server?.error],
    [traceId, unixAtStart - 50, unixAtStart, undefined],
  );
  assert.equal(server?.attributes['http.response.status_code'], 400);
  assert.equal(server?.attributes['spillway.request.id'], undefined);
});

test('the histograms of a request that is kept name its trace', (t) => {
  const { ask, flight, state, openMetrics } = begin(t);
  ask({ headers: { traceparent }, waitedMs: 100 });
  state.nowMs += 400;
  flight(0).stream('data: {"a":1}\n\n');
  state.nowMs += 500;
  flight(0).send(['data: [DONE]\n\n'], { ended: true });
  const page = openMetrics();
  const exemplarOf = (name: string) =>
    new RegExp(`^${name}_bucket\\{.*\\} \\S+ # (\\{trace_id="${traceId}"\\} .*)$`, 'm').exec(
      page,
    )?.[1];
  const atSeconds = (unixAtStart / 1000 + 0.9).toFixed(3);
  assert.equal(
    exemplarOf('vllm:request_latency_seconds'),
    `{trace_id="${traceId}"} 1 ${atSeconds}`,
  );
  assert.equal(
    exemplarOf('spillway_router_time_to_first_token_seconds'),
    `{trace_id="${traceId}"} 0.5 ${atSeconds}`,
  );
});

test('a request without token counts costs what its prompt is taken to have', (t) => {
  // Ten tokens are a dollar.
  const { ask, flight, exported } = begin(t, { share: 0, inputUsdPerMillion: 100_000 });
  ask();
  flight(0).respond(200, '{}');
  assert.equal(exported[0]?.keptFor, 'expensive');
});

test('a response without token counts costs nothing', (t) => {
  const { ask, flight, exported } = begin(t, { share: 0, outputUsdPerMillion: 1_000_000 });
  ask();
  flight(0).respond(200, '{}');
  assert.equal(exported.length, 0);
});

test('a trace that is not kept is named by no histogram', (t) => {
  const { ask, flight, openMetrics } = begin(t, { share: 0 });
  ask();
  flight(0).respond(200, '{}');
  assert.doesNotMatch(openMetrics(), /trace_id/);
});

test('a failure without a reason of its own is told by its status, and that of a stream as failed', (t) => {
  const { ask, flight, spans } = begin(t, { reroutesMax: 0 });
  ask();
  flight(0).respond(500, '{}');
  assert.deepEqual([spans()[0]?.error, spans()[1]?.error], ['status 500', 'status 500']);
  ask();
  flight(1).stream('data: {"a":1}\n\n');
  flight(1).send(['data: {"error":{"code":500}}\n\n', 'data: [DONE]\n\n'], { ended: true });
  assert.deepEqual([spans()[0]?.error, spans()[1]?.error], ['status 200', 'failed']);
});

test('a request without a model is named by its operation alone', (t) => {
  const { ask, flight, spans } = begin(t);
  ask({ model: undefined });
  flight(0).respond(200, '{}');
  assert.equal(spans()[1]?.name, 'chat');
});

test('an address without a port has that of its protocol, and an IPv6 address keeps its brackets', (t) => {
  const { proxy, exported } = begin(t);
  const addressOf = (url: string) => {
    const { exchange } = new Client({}, { target: '/v1/completions' });
    const trace = new RequestTrace(proxy.tracing as Tracing, exchange, 0);
    const pick = { endpoint: { url }, reason: '', cachedTokens: 0 } as unknown as Pick;
    trace.attempt({ url, name: 'e', host: new URL(url).host }, pick, 'policy' as PickCause, 0);
    const end = { outcome: 'completed', status: 200 } as const;
    trace.ended(undefined, { ...end, tokens: undefined, ttftSeconds: undefined }, 1);
    const { attributes } = exported.at(-1)?.spans[1] ?? assert.fail();
    return [attributes['server.address'], attributes['server.port']];
  };
  assert.deepEqual(addressOf('http://engine:8001/base'), ['engine', 8001]);
  assert.deepEqual(addressOf('http://engine'), ['engine', 80]);
  assert.deepEqual(addressOf('https://engine'), ['engine', 443]);
  assert.deepEqual(addressOf('http://[::1]:8001'), ['[::1]', 8001]);
  assert.deepEqual(addressOf('https://[::1]'), ['[::1]', 443]);
});
