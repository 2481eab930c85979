// What metrics, log and /debug/requests keep of a request, told by hand.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { routerInMemory } from '../../../../test/support/router-in-memory.ts';
import { RequestRecord } from './request-record.ts';

/** The record of a request that arrived 100 ms ago at a router with the engine A. */
function begin(context: TestContext, { generates = true } = {}) {
  const router = routerInMemory(context);
  const record = new RequestRecord(router.proxy, {
    request: {
      ...{ id: 'r', model: 'm', pinnedUrl: undefined, session: 's', prompt: [], promptTokens: 10 },
      ...{ tokens: undefined, outputTokensMax: undefined, stream: true },
    },
    ...{ generates, arrivedAtMs: router.state.nowMs - 100 },
  });
  return {
    ...router,
    record,
    a: router.proxy.target('http://a'),
    b: router.proxy.target('http://b'),
  };
}

const usage = { promptTokens: 7, outputTokens: 3, cachedTokens: 2 };

test('a completed request counts at its engine with its tokens, and is kept with its times', (t) => {
  const { record, a, state, value, recent } = begin(t);
  record.sending('http://a');
  record.firstByte(a.metrics, true, state.nowMs);
  state.nowMs += 400;
  assert.deepEqual(record.attemptEnded('completed', usage), { status: 'completed', ...usage });
  record.ended(a, 'completed', 200);
  assert.equal(value('spillway_router_requests_total{outcome="completed",server="http://a"}'), 1);
  assert.equal(value('vllm:input_tokens_total{model="m",server="http://a"}'), 7);
  assert.deepEqual(recent(), {
    ...{ atSeconds: 100.4, requestId: 'r', model: 'm', url: 'http://a', engine: 'http://a' },
    ...{ outcome: 'completed', status: 200, ttftSeconds: 0.1, seconds: 0.5, outputTokens: 3 },
    ...{ sentSeconds: 0.1, attempts: 1, promptTokens: 7, cachedTokens: 2 },
  });
});

test('what several engines have written counts, not what the last one reported', (t) => {
  const { record, a, recent } = begin(t);
  record.attemptEnded('completed', usage);
  record.wroteTokens(9);
  record.ended(a, 'completed', 200);
  assert.equal(recent().outputTokens, 9);
});

test('only streamed text has a first token', (t) => {
  const json = begin(t);
  json.record.firstByte(json.a.metrics, false, json.state.nowMs);
  assert.equal(json.record.timing.ttftSeconds, undefined);
  t.mock.restoreAll();
  const embedding = begin(t, { generates: false });
  embedding.record.firstByte(embedding.a.metrics, true, embedding.state.nowMs);
  assert.equal(embedding.record.timing.ttftSeconds, undefined);
});

test('a request that no engine got counts as refused, and under no model that nobody serves', (t) => {
  const { record, value, recent } = begin(t);
  record.refused(503);
  record.refused(404, false);
  record.ended(undefined, 'failed', 404);
  assert.equal(value('spillway_router_refused_requests_total{model="m"}'), 1);
  assert.equal(value('spillway_router_refused_requests_total{model="unknown"}'), 1);
  assert.deepEqual([recent().url, recent().status, recent().outputTokens], [null, 404, null]);
});

test('the log follows the request from engine to engine; the client learns who failed', (t) => {
  const { record, a, b, logged } = begin(t);
  record.sending('http://a');
  record.hedgeEnded('http://a', 'http://b', 'lost');
  record.rerouted(a, b);
  const failure = { kind: 'reset', answered: false, betweenChunks: false } as const;
  assert.equal(
    record.failed(b, { ...failure, message: 'it was reset' }),
    'Engine B: it was reset.',
  );
  assert.equal(
    record.failed(undefined, { ...failure, message: 'no time' }),
    'The router: no time.',
  );
  record.broke(new Error('a bug'));
  const log = logged();
  for (const line of [
    /Routing request r with session id s to http:\/\/a at [\d.]+, process time = 0\.1000\n/,
    /request r: http:\/\/a was late, its hedge at http:\/\/b lost\n/,
    /request r: A failed, trying B\n/,
    /request r failed at B: it was reset\n/,
    /ERROR: request r: Error: a bug /,
  ]) {
    assert.match(log, line);
  }
});

test('the latencies of a request count at the time of its end', (t) => {
  const { record, a, state, metrics } = begin(t);
  state.nowMs = 600_000_000;
  record.attemptEnded('completed', usage);
  record.ended(a, 'completed', 200);
  assert.equal(metrics.windows.all(600_000).e2e?.count, 1);
});

test('what is not known of a request is null', (t) => {
  const router = routerInMemory(t);
  const record = new RequestRecord(router.proxy, {
    request: {
      ...{ id: 'r', model: undefined, pinnedUrl: undefined, session: undefined, prompt: [] },
      ...{ promptTokens: 0, tokens: undefined, outputTokensMax: undefined, stream: false },
    },
    ...{ generates: true, arrivedAtMs: router.state.nowMs },
  });
  record.ended(undefined, 'failed', 400);
  const { model, url, ttftSeconds, outputTokens } = router.recent();
  assert.deepEqual([model, url, ttftSeconds, outputTokens], [null, null, null, null]);
});
