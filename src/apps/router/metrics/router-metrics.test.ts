import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MetricsRegistry } from '../../../core/metrics/index.ts';
import { EngineMetrics, type FinishedRequest } from './engine-metrics.ts';
import { RouterMetrics } from './router-metrics.ts';

const request: FinishedRequest = {
  ...{ model: 'm', status: 200, seconds: 2, generates: true, nowSeconds: 10 },
  ...{ tokenSeconds: 0.5, outcome: { status: 'completed' } },
};

/** The value of one series of a page, or undefined. */
function seriesValue(registry: MetricsRegistry, series: string): number | undefined {
  const line = registry
    .render()
    .split('\n')
    .find((one) => one.startsWith(`${series} `));
  return line === undefined ? undefined : Number(line.slice(series.length));
}

function begin() {
  const registry = new MetricsRegistry();
  const metrics = new RouterMetrics(registry, 60);
  return {
    metrics,
    engine: new EngineMetrics(metrics, 'http://a'),
    value: seriesValue.bind(undefined, registry),
  };
}

test('counters with few labels begin at 0, so that their first event is a rate', () => {
  const { value } = begin();
  for (const by of ['router', 'engine']) {
    assert.equal(value(`spillway_router_tokenized_prompts_total{by="${by}"}`), 0);
  }
});

test('a refused request counts by its status, as failed and by model', () => {
  const { metrics, value } = begin();
  for (const status of [404, 499, 500, 503]) metrics.refused('m', status);
  metrics.refused(undefined, 404);
  assert.deepEqual([metrics.clientErrors, metrics.serverErrors, metrics.failed], [3, 2, 5]);
  assert.equal(value('spillway_router_refused_requests_total{model="m"}'), 4);
  assert.equal(value('spillway_router_refused_requests_total{model="unknown"}'), 1);
});

test('a finished request counts by its outcome, and its status tells the client’s errors from the engine’s', () => {
  const { metrics, engine, value } = begin();
  const finish = (status: number, outcome: FinishedRequest['outcome']['status']) =>
    engine.finished({ ...request, status, outcome: { status: outcome } });
  finish(200, 'completed');
  finish(399, 'completed');
  finish(400, 'completed');
  finish(404, 'completed');
  finish(499, 'completed');
  finish(500, 'completed');
  assert.deepEqual([engine.clientErrors, engine.serverErrors, metrics.failed], [3, 1, 0]);
  finish(200, 'failed');
  finish(400, 'failed');
  assert.deepEqual([engine.clientErrors, engine.serverErrors, metrics.failed], [3, 3, 2]);
  finish(500, 'cancelled');
  finish(400, 'cancelled');
  assert.deepEqual([metrics.clientErrors, metrics.serverErrors], [3, 3], 'a client that left');
  const requests = (outcome: string) =>
    value(`spillway_router_requests_total{outcome="${outcome}",server="http://a"}`);
  assert.deepEqual(['completed', 'failed', 'cancelled'].map(requests), [6, 2, 2]);
});

test('the mean latency is over all finished requests', () => {
  const { engine } = begin();
  assert.equal(engine.meanLatencySeconds, 0);
  engine.finished({ ...request, seconds: 1 });
  engine.finished({ ...request, status: 503, seconds: 4 });
  assert.equal(engine.meanLatencySeconds, 2.5);
});

test('the mean gap between tokens is over the streams of all models', () => {
  const { engine } = begin();
  assert.equal(engine.meanTokenGapSeconds, undefined);
  engine.finished({ ...request, model: 'silent' });
  assert.equal(engine.meanTokenGapSeconds, undefined);
  engine.stream('m').tokenGapSeconds.observe(1);
  engine.stream('n').tokenGapSeconds.observe(2);
  engine.stream('m').tokenGapSeconds.observe(6);
  assert.equal(engine.meanTokenGapSeconds, 3);
});

test('tokens count where a response reports them', () => {
  const { engine, value } = begin();
  engine.finished({
    ...request,
    outcome: { status: 'completed', promptTokens: 100, outputTokens: 7, cachedTokens: 64 },
  });
  engine.finished(request);
  assert.equal(value('spillway_router_cached_prompt_tokens_total{server="http://a"}'), 64);
  assert.equal(value('vllm:input_tokens_total{model="m",server="http://a"}'), 100);
  assert.equal(value('vllm:output_tokens_total{model="m",server="http://a"}'), 7);
});

test('a request without a model counts under an empty name', () => {
  const { metrics, engine, value } = begin();
  const outcome = { status: 'completed', promptTokens: 9 } as const;
  engine.finished({ ...request, model: undefined, outcome });
  engine.error(undefined, 'reset');
  engine.stream(undefined).firstTokenSeconds.observe(3);
  const labels = 'model="",server="http://a"';
  assert.equal(value(`vllm:input_tokens_total{${labels}}`), 9);
  assert.equal(value(`vllm:request_latency_seconds_count{${labels},status="200"}`), 1);
  assert.equal(value(`vllm:request_errors_total{error_type="reset",${labels}}`), 1);
  assert.equal(value(`spillway_router_time_to_first_token_seconds_sum{${labels}}`), 3);
  engine.stream(undefined).windows.add('ttft', 3, 10);
  assert.deepEqual(
    metrics.windows.models(10).map(({ model, ttft, e2e }) => [model, ttft?.count, e2e?.count]),
    [['', 1, 1]],
  );
  const streamed = begin();
  streamed.engine.stream(undefined).windows.add('ttft', 3, 10);
  assert.equal(streamed.metrics.windows.models(10)[0]?.model, '');
});

test('latency percentiles are of complete generations without an error', () => {
  const { metrics, engine } = begin();
  engine.finished({ ...request, status: 400 });
  engine.finished({ ...request, outcome: { status: 'failed' } });
  engine.finished({ ...request, generates: false });
  assert.deepEqual(metrics.windows.recent(10).e2e, null);
  engine.finished({ ...request, status: 399, tokenSeconds: undefined });
  assert.equal(metrics.windows.recent(10).e2e?.count, 1);
  assert.equal(metrics.windows.recent(10).tpot, null);
  engine.finished(request);
  assert.equal(metrics.windows.recent(10).tpot?.count, 1);
});

test('a removed engine has no series', () => {
  const { metrics, engine, value } = begin();
  engine.finished(request);
  engine.error('m', 'timeout');
  const series = 'vllm:request_errors_total{server="http://a",model="m",error_type="timeout"}';
  const found = [
    series,
    series.replace(/\{.*\}/, '{error_type="timeout",model="m",server="http://a"}'),
  ];
  assert.ok(found.some((one) => value(one) === 1));
  metrics.removeEngine('http://a');
  assert.ok(found.every((one) => value(one) === undefined));
});

test('the rate of requests is over the window of the settings, and over ten seconds at most', () => {
  const rateAt = (windowSeconds: number, nowSeconds: number) => {
    const { rate } = new RouterMetrics(new MetricsRegistry(), windowSeconds);
    for (let i = 0; i < 30; i++) rate.count(5.5);
    return rate.perSecond(nowSeconds);
  };
  assert.deepEqual([rateAt(3, 8.9), rateAt(3, 9)], [10, 0]);
  assert.deepEqual([rateAt(60, 15.9), rateAt(60, 16)], [3, 0]);
});

test('latencies count by engine, model and status', () => {
  const { engine, value } = begin();
  engine.finished({ ...request, seconds: 2 });
  engine.finished({ ...request, seconds: 3 });
  engine.finished({ ...request, status: 404, seconds: 5 });
  const sum = (status: number) =>
    value(`vllm:request_latency_seconds_sum{model="m",server="http://a",status="${status}"}`);
  assert.deepEqual([sum(200), sum(404)], [5, 5]);
});

test('requests that an engine serves count by model as they arrive', () => {
  const { metrics, value } = begin();
  metrics.routed('m');
  metrics.routed('m');
  metrics.routed(undefined);
  assert.equal(value('vllm:num_incoming_requests_total{model="m"}'), 2);
  assert.equal(value('vllm:num_incoming_requests_total{model=""}'), 1);
});

test('requests count by the reason of their pick', () => {
  const { engine, value } = begin();
  engine.picked('prefix');
  engine.picked('prefix');
  engine.picked('retry');
  const picks = (reason: string) =>
    value(`spillway_router_picks_total{reason="${reason}",server="http://a"}`);
  assert.deepEqual([picks('prefix'), picks('retry')], [2, 1]);
});

test('a first byte with a prediction counts as predicted, actual and error', () => {
  const { engine, value } = begin();
  engine.firstByte(3, 2);
  engine.firstByte(1, 4);
  engine.firstByte(100, undefined);
  const sum = (which: string) =>
    value(`spillway_router_first_byte_prediction_seconds_sum{server="http://a",value="${which}"}`);
  assert.deepEqual([sum('predicted'), sum('actual'), sum('error')], [6, 4, 4]);
  assert.equal(value('spillway_router_first_byte_seconds_sum{server="http://a"}'), 104);
});
