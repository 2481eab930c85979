// Traces of a request through router and engine, as a collector receives them.
import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { type TestContext, test } from 'node:test';
import { createEngineServer } from '../../src/apps/engine/index.ts';
import { type RouterOptions, startRouter } from '../../src/apps/router/index.ts';
import { defaultEngineConfig } from '../../src/core/engine/index.ts';
import { samplingDefaults } from '../../src/core/telemetry/index.ts';
import { createLogger } from '../../src/io/log/index.ts';
import { openTracing, readOtlpSettings, type TracingOptions } from '../../src/io/otlp/index.ts';
import { loadTokenizer } from '../../src/io/tokenizers/index.ts';
import { eventually } from '../support/fleet.ts';
import type { ReceivedSpan } from '../support/otlp-message.ts';
import { startOtlpReceiver } from '../support/otlp-receiver.ts';
import { post, stack } from '../support/router-stack.ts';
import { chunk, eventStreamHead, respond } from '../support/scripted-engine.ts';

const log = createLogger({ stream: process.stderr, level: 'critical', format: 'text' });
const traceId = '0af7651916cd43dd8448eb211c80319c';
const sampledParent = `00-${traceId}-b7ad6b7169203331-01`;
const dropped = `00-${traceId}-b7ad6b7169203331-00`;
const hello = { model: 'm', messages: [{ role: 'user', content: 'A secret' }] };
const usage =
  '{"prompt_tokens":7,"completion_tokens":2,"prompt_tokens_details":{"cached_tokens":4}}';
const [server, client] = [2, 3];

async function collector(t: TestContext, share = 1) {
  const receiver = await startOtlpReceiver('grpc');
  t.after(() => receiver.close());
  const flags = { endpoint: receiver.url, isSecure: false, protocol: undefined };
  const options = (serviceName: string): TracingOptions => {
    const otlp = readOtlpSettings({ ...flags, serviceName }, {}, serviceName);
    assert.ok(otlp);
    return { otlp, sampling: { ...samplingDefaults, share } };
  };
  return { receiver, options };
}

function named(spans: readonly ReceivedSpan[], kind: number): ReceivedSpan[] {
  return spans.filter((span) => span.kind === kind);
}

test('a request has a server span and a client span, and the engine gets the context of the latter', async (t) => {
  const { receiver, options } = await collector(t);
  const { router, engines } = await stack(
    t,
    [
      {
        onRequest: ({ socket }) =>
          socket.write(
            eventStreamHead +
              chunk('data: {"choices":[{}]}\n\n') +
              chunk(`data: {"choices":[],"usage":${usage}}\n\n`) +
              chunk('data: [DONE]\n\n') +
              chunk(''),
          ),
      },
    ],
    { tracing: options('vllm-router') },
  );
  const headers = { traceparent: sampledParent, tracestate: 'rojo=1' };
  const body = { ...hello, max_tokens: 9, stream: true, stream_options: { include_usage: true } };
  await (await post(router, body, { headers })).text();
  const spans = await receiver.received(2);
  const [request] = named(spans, server);
  const [attempt] = named(spans, client);
  assert.ok(request && attempt);
  assert.equal(request.traceId, traceId);
  assert.equal(request.parentSpanId, 'b7ad6b7169203331');
  assert.equal(attempt.parentSpanId, request.spanId);
  assert.equal(request.traceState, 'rojo=1');
  assert.equal(request.name, 'POST /v1/chat/completions');
  assert.equal(attempt.name, 'chat m');
  const sent = engines[0]?.received[0]?.headers;
  assert.equal(sent?.get('traceparent'), `00-${traceId}-${attempt.spanId}-01`);
  assert.equal(sent?.get('tracestate'), 'rojo=1');
  for (const span of [request, attempt]) {
    const { attributes } = span;
    assert.equal(attributes['gen_ai.usage.input_tokens'], 7);
    assert.equal(attributes['gen_ai.usage.prompt_tokens'], 7);
    assert.equal(attributes['gen_ai.usage.completion_tokens'], 2);
    assert.equal(attributes['gen_ai.usage.cache_read.input_tokens'], 4);
    assert.equal(attributes['gen_ai.request.max_tokens'], 9);
    assert.equal(attributes['gen_ai.system'], 'vllm');
    assert.equal(attributes['http.response.status_code'], 200);
    assert.equal(span.status, 0);
  }
  assert.deepEqual(
    request.events.map(({ name }) => name),
    ['spillway.attempt'],
  );
  const { attributes: picked } = request.events[0] as ReceivedSpan['events'][number];
  assert.equal(picked['spillway.engine.url'], engines[0]?.url);
  assert.equal(picked['spillway.pick.cause'], 'turn');
  assert.match(String(picked['spillway.pick.reason']), /turn/);
  assert.ok(request.startMs <= attempt.startMs && attempt.endMs <= request.endMs + 0.001);
  assert.ok(Math.abs(request.endMs - Date.now()) < 60_000);
  assert.equal(request.resource['service.name'], 'vllm-router');
  assert.ok(!JSON.stringify(spans).includes('secret'), 'no text of the prompt');
});

test('each attempt is an event and a span; the one that failed says why', async (t) => {
  const { receiver, options } = await collector(t);
  const { router } = await stack(
    t,
    [
      { onRequest: ({ socket }) => socket.destroy() },
      { onRequest: ({ socket }) => respond(socket, 200, `{"usage":${usage}}`) },
    ],
    { tracing: options('r') },
  );
  const statuses = [await post(router, hello), await post(router, hello)].map(
    ({ status }) => status,
  );
  assert.deepEqual(statuses, [200, 200]);
  const spans = await receiver.received(5);
  const moved = named(spans, server).find(({ events }) => events.length === 2);
  assert.ok(moved, 'one of two requests met the broken engine first');
  assert.equal(moved.attributes['spillway.attempts'], 2);
  assert.deepEqual(
    moved.events.map(({ attributes }) => attributes['spillway.pick.cause']),
    ['turn', 'retry'],
  );
  const attempts = named(spans, client).filter(({ parentSpanId }) => parentSpanId === moved.spanId);
  assert.deepEqual(
    attempts.map(({ attributes, status }) => [attributes['spillway.outcome'], status]),
    [
      ['failed', 2],
      ['completed', 0],
    ],
  );
  assert.notEqual(attempts[0]?.statusMessage, '');
});

test('an unsampled trace is dropped, but an error, a refusal and an expensive request are kept', async (t) => {
  const { receiver, options } = await collector(t, 0);
  const expensive = '{"usage":{"prompt_tokens":40000,"completion_tokens":1}}';
  let answer: [number, string] = [200, `{"usage":${usage}}`];
  const { router, engines } = await stack(
    t,
    [{ onRequest: ({ socket }) => respond(socket, ...answer) }],
    { tracing: options('r'), reroutesMax: 0 },
  );
  const headers = { traceparent: dropped };
  await (await post(router, hello, { headers })).text();
  assert.match(engines[0]?.received[0]?.headers.get('traceparent') ?? '', /-00$/);
  answer = [200, expensive];
  await (await post(router, hello, { headers })).text();
  answer = [500, '{}'];
  await (await post(router, hello)).text();
  assert.equal((await post(router, '{"messages":[]}')).status, 400);
  const spans = await receiver.received(5);
  const requests = named(spans, server).map(({ attributes, status }) => [
    attributes['spillway.kept_for'],
    attributes['http.response.status_code'],
    status,
  ]);
  assert.deepEqual(requests, [
    ['expensive', 200, 0],
    ['error', 500, 2],
    ['error', 400, 0],
  ]);
  await eventually(async () => {
    const page = await (await fetch(`${router.url}/metrics`)).text();
    return page.includes('spillway_otel_spans_exported_total 5.0\n');
  }, 'five spans are counted');
});

test('router and embedded engine write one trace', async (t) => {
  const { receiver, options } = await collector(t);
  const engine = await createEngineServer({
    ...{ port: 0, model: 'm', tokenizer: await loadTokenizer(), timeScale: 1 },
    config: defaultEngineConfig({ maxModelLen: 8192, numGpuBlocks: 2000 }),
    cost: { stepSeconds: () => 0.002 },
    tracing: await openTracing(options('vllm'), log),
  });
  const settings: RouterOptions = {
    ...{ port: 0, engines: [{ url: engine.url, models: [] }], log },
    tracing: options('vllm-router'),
  };
  const router = await startRouter(settings);
  t.after(() => Promise.all([router.close(0), engine.close()]));
  await router.probed;
  const body = { ...hello, max_tokens: 5, ignore_eos: true, temperature: 0.5, stream: true };
  await (await post(router, body, { headers: { 'content-type': 'application/json' } })).text();
  const spans = await receiver.received(3);
  const inner = spans.find(({ name }) => name === 'llm_request');
  const [attempt] = named(spans, client);
  assert.equal(inner?.parentSpanId, attempt?.spanId);
  assert.equal(inner?.traceId, attempt?.traceId);
  assert.equal(inner?.kind, server);
  const { attributes = {} } = inner ?? {};
  assert.equal(attributes['gen_ai.usage.completion_tokens'], 5);
  assert.equal(attributes['gen_ai.request.temperature'], 0.5);
  assert.deepEqual(attributes['gen_ai.response.finish_reasons'], ['length']);
  const seconds = (name: string) => Number(attributes[`gen_ai.latency.${name}`]);
  const parts =
    seconds('time_in_queue') + seconds('time_in_model_prefill') + seconds('time_in_model_decode');
  assert.ok(parts > 0.005 && parts <= seconds('e2e') + 0.001, `${parts} of ${seconds('e2e')}`);
  assert.ok(seconds('time_to_first_token') >= seconds('time_in_model_prefill'));
});

test('histograms name kept traces to a scraper that reads OpenMetrics', async (t) => {
  const { options } = await collector(t);
  const { router } = await stack(
    t,
    [
      {
        onRequest: ({ socket }) =>
          socket.write(eventStreamHead + chunk('data: {"choices":[{}]}\n\n') + chunk('')),
      },
    ],
    { tracing: options('r') },
  );
  const headers = { traceparent: sampledParent };
  await (await post(router, { ...hello, stream: true }, { headers })).text();
  const accept = 'application/openmetrics-text;version=1.0.0,text/plain;q=0.5';
  const response = await fetch(`${router.url}/metrics`, { headers: { accept } });
  assert.match(response.headers.get('content-type') ?? '', /^application\/openmetrics-text/);
  const page = await response.text();
  for (const name of [
    'vllm:request_latency_seconds',
    'spillway_router_time_to_first_token_seconds',
  ]) {
    const lines = page.split('\n').filter((line) => line.startsWith(`${name}_bucket`));
    const named = lines.filter((line) => line.includes(` # {trace_id="${traceId}"} 0.`));
    assert.equal(named.length, 1, name);
  }
  assert.match(page, /^# TYPE spillway_router_requests counter$/m);
  assert.ok(page.endsWith('# EOF\n'));
  const plain = await (await fetch(`${router.url}/metrics`)).text();
  assert.ok(!plain.includes('trace_id') && !plain.includes('EOF'));
});

test('log lines have the id of the trace, in JSON as a field', async (t) => {
  const { options } = await collector(t);
  const stream = new PassThrough();
  const json = createLogger({ stream, level: 'info', format: 'json' });
  const { router } = await stack(t, [{}], { tracing: options('r'), log: json });
  await (await post(router, hello, { headers: { traceparent: sampledParent } })).text();
  json.flush();
  const lines = String(stream.read()).trim().split('\n');
  const about = lines.filter((line) => line.includes('Routing request'));
  assert.equal(about.length, 1, 'one line a request');
  assert.equal(JSON.parse(about[0] as string).trace_id, traceId);
  assert.ok(!lines.join('').includes('secret'));
});
