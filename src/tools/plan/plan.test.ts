import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { seededRandom } from '../../core/base/index.ts';
import { findGpu, findModel } from '../../core/engine/index.ts';
import { estimate, gainOf, positiveEstimate } from './estimates.ts';
import { layoutOf } from './layout.ts';
import { lengthsOf } from './lengths.ts';
import { measureTrace } from './measure-trace.ts';
import { modelErrors, noModelError, normalQuantile } from './model-errors.ts';
import { type Played, playLayout } from './play.ts';

test('one length alone means that all are equal, and the longest is twice that', () => {
  assert.deepEqual(lengthsOf({ mean: 6000 }), { mean: 6000, p95: 6000, max: 12_000, sigma: 0 });
});

test('median and p95, or mean and p95, give a log-normal through both', () => {
  const { mean, sigma } = lengthsOf({ p50: 1000, p95: 4000 });
  assert.ok(Math.abs(1000 * Math.exp(1.645 * sigma) - 4000) < 1e-6);
  assert.ok(Math.abs(mean - 1000 * Math.exp(sigma ** 2 / 2)) < 1e-6);
  const other = lengthsOf({ mean, p95: 4000 });
  assert.ok(Math.abs(other.sigma - sigma) < 1e-6, 'the same distribution by another two figures');
});

test('whatever is known, lengths are positive and in order', () => {
  const tokens = fc.option(fc.double({ min: 1, max: 1e6, noNaN: true }), { nil: undefined });
  fc.assert(
    fc.property(fc.record({ mean: tokens, p50: tokens, p95: tokens, max: tokens }), (known) => {
      const { mean, p95, max, sigma } = lengthsOf(known);
      assert.ok(mean > 0 && p95 > 0 && max > 0 && sigma >= 0 && Number.isFinite(mean));
    }),
  );
});

test('an estimate widens with the spread, and is exact without one', () => {
  assert.deepEqual(estimate([5, 5, 5]), { mean: 5, low: 5, high: 5 });
  const { mean, low, high } = estimate([90, 100, 110]);
  assert.equal(mean, 100);
  // t at 95 % with two degrees of freedom, standard deviation 10, of one more value.
  assert.ok(Math.abs(high - mean - 2.92 * 10 * Math.sqrt(4 / 3)) < 1e-9);
  assert.ok(Math.abs(mean - low - (high - mean)) < 1e-9);
});

test('figures whose errors are factors have an interval of factors, above zero', () => {
  const { mean, low, high } = positiveEstimate([50, 100, 200]);
  assert.ok(Math.abs(mean - 350 / 3) < 1e-9);
  assert.ok(low > 0 && Math.abs(low * high - 100 ** 2) < 1e-6, 'as far below 100 as above');
  assert.deepEqual(positiveEstimate([0, 0]), { mean: 0, low: 0, high: 0 });
});

test('the errors of a few fleets spread evenly, whatever the seed', () => {
  fc.assert(
    fc.property(fc.integer(), fc.integer({ min: 2, max: 9 }), (seed, count) => {
      const errors = modelErrors(count, seededRandom(seed));
      for (const key of ['prefillRate', 'decodeRate'] as const) {
        const logarithms = errors.map((error) => Math.log(error[key]));
        const mean = logarithms.reduce((sum, value) => sum + value, 0) / count;
        assert.ok(Math.abs(mean) < 1e-3, 'no faster and no slower in the middle');
        assert.equal(new Set(logarithms).size, count);
      }
      const overhead = errors.map(({ tierOverhead }) => tierOverhead).toSorted((a, b) => a - b);
      assert.ok((overhead[0] as number) > 0 && (overhead.at(-1) as number) < 0.05);
    }),
  );
});

test('quantiles of the normal distribution are those of the tables', () => {
  for (const [share, quantile] of [
    ...[[0.5, 0] as const, [0.95, 1.645] as const, [0.05, -1.645] as const, [0.9, 1.2816] as const],
  ]) {
    assert.ok(Math.abs(normalQuantile(share) - quantile) < 1e-3, `${share}`);
  }
});

test('gains compare runs in pairs, so that what both share cancels', () => {
  const run = (throughput: number, ttftMs: number) => ({ throughput, ttftMs }) as Played;
  const base = { name: 'none', runs: [run(100, 50), run(200, 80)] };
  const better = { name: 'native', runs: [run(120, 25), run(240, 40)] };
  const { throughput, ttft } = gainOf(better, base);
  assert.ok(Math.abs(throughput.mean - 0.2) < 1e-12 && throughput.high - throughput.low < 1e-9);
  assert.ok(Math.abs(ttft.mean + 0.5) < 1e-12);
});

const request = (at: number, promptTokens: number, blockIds: number[]) => ({
  ...{ arrivalSeconds: at, promptTokens, blockIds, outputTokens: 10 },
});

test('a trace says whether prompts share a beginning, go on with one, or neither', () => {
  const kind = (requests: ReturnType<typeof request>[]) =>
    measureTrace({ blockTokens: 100, requests }).prefixReuse;
  const alone = [0, 1, 2, 3].map((i) => request(i, 300, [3 * i, 3 * i + 1, 3 * i + 2]));
  const shared = [0, 1, 2, 3].map((i) => request(i, 300, [0, 1, 10 + i]));
  const turns = [1, 2, 3, 4].map((n) =>
    request(
      n,
      100 * n,
      Array.from({ length: n }, (_, i) => i),
    ),
  );
  assert.deepEqual([alone, shared, turns].map(kind), ['none', 'system-prompt', 'multi-turn']);
});

test('a trace gives lengths, the mean rate and that of its busiest minute', () => {
  const requests = [0, 1, 2, 600].map((at, i) => request(at, 100 * (i + 1), [i]));
  const { promptTokens, requestsPerSecond, peakRequestsPerSecond } = measureTrace({
    blockTokens: 500,
    requests,
  });
  assert.deepEqual([promptTokens.mean, promptTokens.max], [250, 400]);
  assert.equal(requestsPerSecond, 4 / 600);
  assert.equal(peakRequestsPerSecond, 3 / 60);
});

test('an overloaded fleet is called so, and its throughput is what it works off', () => {
  const wish = { gpusPerEngine: 1, gpuPricePerHour: undefined, gpuMemoryUtilization: undefined };
  const model = findModel('Qwen3-8B');
  const layout = layoutOf({ ...wish, model, gpu: findGpu('A10'), maxModelLen: 4096 });
  const play = (requestsPerSecond: number) =>
    playLayout({
      ...{ layout, engines: 1, kvOffload: 'none', offloadGiB: 0, policy: 'roundrobin' },
      ...{ maxNumSeqs: 64, clients: undefined, requests: 200, e2eSeconds: 0, slo: {}, seed: 1 },
      error: noModelError,
      workload: {
        promptTokens: lengthsOf({ mean: 1000 }),
        outputTokens: lengthsOf({ mean: 100 }),
        ...{ concurrency: undefined, requestsPerSecond, prefixReuse: 'none' },
        ...{ sharedPrefixTokens: 0, prefixGroups: 1, preemptionsPerMinute: 0 },
      },
    });
  const [calm, flooded] = [play(0.5), play(100)];
  assert.deepEqual([calm.isOverloaded, flooded.isOverloaded], [false, true]);
  assert.ok(Math.abs(calm.throughput / 50 - 1) < 0.25, `${calm.throughput} of 50 tokens/s`);
  assert.ok(flooded.throughput > 2 * calm.throughput, `${flooded.throughput} tokens/s`);
});

test('prefill and decode apart: decodes go on beside long prompts, whose tokens come later', () => {
  const wish = { gpusPerEngine: 1, gpuPricePerHour: undefined, gpuMemoryUtilization: undefined };
  const model = findModel('Qwen3-8B');
  const layout = layoutOf({ ...wish, model, gpu: findGpu('H100-80GB'), maxModelLen: 20_000 });
  const play = (prefillEngines: number | undefined) =>
    playLayout({
      ...{ layout, engines: 4, kvOffload: 'none', offloadGiB: 0, policy: 'predictive' },
      ...{ maxNumSeqs: 64, clients: undefined, requests: 160, e2eSeconds: 0, slo: {}, seed: 1 },
      ...{ prefillEngines, error: noModelError },
      workload: {
        promptTokens: lengthsOf({ mean: 8000 }),
        outputTokens: lengthsOf({ mean: 200 }),
        ...{ concurrency: undefined, requestsPerSecond: 5, prefixReuse: 'none' },
        ...{ sharedPrefixTokens: 0, prefixGroups: 1, preemptionsPerMinute: 0 },
      },
    });
  const [together, apart] = [play(undefined), play(2)];
  assert.ok(apart.tpotMs < 0.85 * together.tpotMs, `${apart.tpotMs} and ${together.tpotMs} ms`);
  assert.ok(apart.ttftMs > together.ttftMs, `${apart.ttftMs} and ${together.ttftMs} ms`);
});
