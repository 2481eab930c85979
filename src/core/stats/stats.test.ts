import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  latenciesOf,
  loadSpread,
  meets,
  percentile,
  type RequestRecord,
  reportOf,
  samplesNeeded,
  summarize,
  toServeJson,
} from './index.ts';
import { gapsOf } from './latencies.ts';

/** A request sent at once that got one chunk at each of the given times. */
function answered(chunkSeconds: readonly number[], rest: Partial<RequestRecord> = {}) {
  return {
    scheduledSeconds: 0,
    sentSeconds: 0,
    chunkSeconds,
    promptTokens: 10,
    outputTokens: chunkSeconds.length,
    cachedTokens: undefined,
    engine: undefined,
    error: undefined,
    ...rest,
  } satisfies RequestRecord;
}

const options = { durationSeconds: 10, percentiles: [50, 90, 99], limits: {} };

test('percentiles interpolate between closest ranks as numpy does', () => {
  // numpy.percentile([1, 2, 4, 8], [0, 25, 50, 90, 100])
  const sample = [1, 2, 4, 8];
  assert.deepEqual(
    [0, 25, 50, 90, 100].map((q) => Number(percentile(sample, q).toFixed(9))),
    [1, 1.75, 3, 6.8, 8],
  );
});

test('a percentile lies within its sample, rises with q, and ends at minimum and maximum', () => {
  const finite = fc.double({ min: -1e9, max: 1e9, noNaN: true });
  fc.assert(
    fc.property(
      fc.array(finite, { minLength: 1 }),
      fc.double({ min: 0, max: 100, noNaN: true }),
      fc.double({ min: 0, max: 100, noNaN: true }),
      (values, q, r) => {
        const sorted = values.toSorted((a, b) => a - b);
        const [low, high] = [Math.min(q, r), Math.max(q, r)];
        assert.ok(percentile(sorted, 0) === sorted[0]);
        assert.ok(percentile(sorted, 100) === sorted.at(-1));
        assert.ok(percentile(sorted, low) <= percentile(sorted, high) + 1e-6);
      },
    ),
  );
});

test('mean and standard deviation agree with their definitions', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: -1000, max: 1000 }), { minLength: 1 }), (values) => {
      const mean = values.reduce((a, b) => a + b) / values.length;
      const variance = values.reduce((a, b) => a + (b - mean) ** 2, 0) / values.length;
      const summary = summarize(values, []);
      assert.ok(Math.abs((summary?.mean ?? Number.NaN) - mean) < 1e-9);
      assert.ok(Math.abs((summary?.std ?? Number.NaN) - Math.sqrt(variance)) < 1e-9);
    }),
  );
});

test('a percentile is withheld until one value is expected beyond it', () => {
  assert.deepEqual([50, 90, 99, 99.9].map(samplesNeeded), [2, 10, 100, 1000]);
  const p99 = (count: number) =>
    summarize(
      Array.from({ length: count }, (_, i) => i),
      [99],
    )?.percentiles[0]?.value;
  assert.equal(p99(99), null);
  assert.ok(Math.abs((p99(100) ?? 0) - 98.01) < 1e-9);
  assert.equal(summarize([], [99]), undefined);
});

test("latencies are vLLM's: first chunk, last chunk, and the rest over the tokens after the first", () => {
  const record = answered([1.5, 1.75, 2.5], { sentSeconds: 1, scheduledSeconds: 0.5 });
  assert.deepEqual(latenciesOf(record), {
    ttftSeconds: 0.5,
    e2eSeconds: 1.5,
    tpotSeconds: 0.5,
  });
  assert.deepEqual(
    gapsOf([record, answered([3]), answered([4, 6])]),
    Float64Array.of(0.25, 0.75, 2),
  );
  assert.equal(latenciesOf(record, 'scheduled').ttftSeconds, 1);
  assert.equal(latenciesOf(answered([3])).tpotSeconds, undefined);
});

test('TPOT counts the tokens that the server reports, not the chunks', () => {
  assert.equal(latenciesOf(answered([1, 2], { outputTokens: 5 })).tpotSeconds, 0.25);
});

test('a good response meets every limit, and one token meets any TPOT', () => {
  const slow = latenciesOf(answered([1, 3]));
  assert.ok(meets({ ttftMs: 1000, tpotMs: 2000, e2eMs: 3000 }, slow));
  assert.ok(!meets({ tpotMs: 1999 }, slow));
  assert.ok(meets({ tpotMs: 1 }, latenciesOf(answered([1]))));
});

test('a report counts failures separately and takes latencies from complete responses only', () => {
  const failed = answered([9], { error: { kind: 'http_503', message: 'no engine' } });
  const report = reportOf([answered([1, 2]), failed, answered([3])], options);
  assert.deepEqual([report.completed, report.failed], [2, 1]);
  assert.deepEqual([...report.errors], [['http_503', 1]]);
  assert.equal(report.fromSent.ttft?.mean, 2000);
  assert.equal(report.outputTokens, 3);
  assert.equal(report.good, undefined);
});

test('the report agrees with a straightforward computation on any run', () => {
  const recordArbitrary = fc
    .record({
      scheduled: fc.integer({ min: 0, max: 100 }),
      lag: fc.integer({ min: 0, max: 5 }),
      gaps: fc.array(fc.integer({ min: 0, max: 30 }), { minLength: 1, maxLength: 6 }),
      failed: fc.boolean(),
    })
    .map(({ scheduled, lag, gaps, failed }) => {
      let at = scheduled + lag;
      const chunks = gaps.map((gap) => (at += gap));
      return answered(chunks, {
        scheduledSeconds: scheduled,
        sentSeconds: scheduled + lag,
        error: failed ? { kind: 'cut', message: 'cut' } : undefined,
      });
    });
  fc.assert(
    fc.property(fc.array(recordArbitrary, { maxLength: 20 }), (records) => {
      const report = reportOf(records, { ...options, limits: { ttftMs: 10_000, e2eMs: 60_000 } });
      const complete = records.filter((record) => record.error === undefined);
      const first = (record: RequestRecord) => record.chunkSeconds[0] ?? Number.NaN;
      const last = (record: RequestRecord) => record.chunkSeconds.at(-1) ?? Number.NaN;
      assert.equal(
        report.good,
        complete.filter((r) => first(r) - r.sentSeconds <= 10 && last(r) - r.sentSeconds <= 60)
          .length,
      );
      // All times are whole seconds, so sampling each second finds every peak.
      const atOnce = Array.from(
        { length: 400 },
        (_, t) => records.filter((r) => r.sentSeconds <= t && t < last(r)).length,
      );
      assert.equal(report.peakConcurrency >= Math.max(...atOnce), true);
      const instant = records.filter((r) => r.sentSeconds === last(r)).length;
      assert.ok(report.peakConcurrency <= Math.max(...atOnce) + instant);
      const origin = Math.min(...complete.map((r) => r.sentSeconds));
      const perSecond = Array.from({ length: 400 }, (_, t) =>
        complete.flatMap((r) => [...r.chunkSeconds]).filter((at) => at - origin === t),
      ).map((chunks) => chunks.length);
      assert.equal(report.peakChunksPerSecond, Math.max(...perSecond));
    }),
  );
});

test('failed requests are in flight until they end', () => {
  const error = { kind: 'interrupted', message: 'stopped' };
  const cutOff = Array.from({ length: 73 }, (_, at) =>
    answered(at === 0 ? [1] : [], { sentSeconds: at / 100, endSeconds: 90, error }),
  );
  const complete = answered([5], { sentSeconds: 2 });
  assert.equal(reportOf([...cutOff, complete], options).peakConcurrency, 74);
  const refused = answered([], { sentSeconds: 3, error });
  assert.equal(reportOf([refused, refused], options).peakConcurrency, 0);
});

test('offered and sent rates are the gaps of the schedule and of what was sent', () => {
  const records = [0, 1, 2, 3].map((due) =>
    answered([9], { scheduledSeconds: due, sentSeconds: due * 2 }),
  );
  const report = reportOf(records, options);
  assert.deepEqual([report.offeredRate, report.sentRate], [1, 0.5]);
  assert.equal(report.clientLag?.max, 3000);
});

test('load spread is the busiest engine over the mean, idle engines included', () => {
  const on = (engine: string, promptTokens: number) => answered([1], { engine, promptTokens });
  const report = reportOf([on('a', 30), on('a', 30), on('b', 20)], options);
  assert.equal(loadSpread(report, 'tokens'), 1.5);
  assert.equal(loadSpread(report, 'tokens', 4), 3);
  assert.equal(loadSpread(reportOf([], options), 'tokens'), undefined);
});

test('the JSON has the keys of vllm bench serve, and null where a sample is too small', () => {
  const failed = answered([], { error: { kind: 'timeout', message: 'no response within 5 s' } });
  const records = [answered([1, 2], { sentSeconds: 0.5 }), failed];
  const json = toServeJson(reportOf(records, options), records);
  const { mean_ttft_ms, p99_ttft_ms, request_throughput, ttfts, itls, errors } = json;
  assert.deepEqual(
    { mean_ttft_ms, p99_ttft_ms, request_throughput, ttfts, itls, errors },
    {
      mean_ttft_ms: 500,
      p99_ttft_ms: null,
      request_throughput: 0.1,
      ttfts: [0.5, 0],
      itls: [[1], []],
      errors: ['', 'no response within 5 s'],
    },
  );
  for (const key of [
    'duration completed failed total_input_tokens total_output_tokens request_goodput',
    'output_throughput total_token_throughput max_output_tokens_per_s max_concurrent_requests',
    'median_tpot_ms std_itl_ms p50_e2el_ms p90_e2el_ms input_lens output_lens start_times',
  ].flatMap((line) => line.split(' '))) {
    assert.ok(key in json, key);
  }
});

test('a run without a response has null latencies, not zeros', () => {
  const json = toServeJson(reportOf([], options), []);
  assert.equal(json['mean_ttft_ms'], null);
  assert.equal(json['p50_ttft_ms'], null);
});
