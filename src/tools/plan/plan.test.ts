import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { seededRandom } from '../../core/base/index.ts';
import { findGpu, findModel } from '../../core/engine/index.ts';
import { estimate, gainHull, gainOf, positiveEstimate } from './estimates.ts';
import { kvDtypeAdvice, withFp8Kv } from './kv-dtype.ts';
import { layoutOf } from './layout.ts';
import { lengthsOf } from './lengths.ts';
import { measureTrace } from './measure-trace.ts';
import { type ModelError, modelErrors, noModelError } from './model-errors.ts';
import { parallelismOf } from './parallelism.ts';
import { playLayout } from './play.ts';
import type { Played } from './played.ts';

test('a single length applies to all prompts, and the maximum is twice that', () => {
  assert.deepEqual(lengthsOf({ mean: 6000 }), { mean: 6000, p95: 6000, max: 12_000, sigma: 0 });
});

test('median and p95, or mean and p95, give a log-normal through both', () => {
  const { mean, sigma } = lengthsOf({ p50: 1000, p95: 4000 });
  assert.ok(Math.abs(1000 * Math.exp(1.645 * sigma) - 4000) < 1e-6);
  assert.ok(Math.abs(mean - 1000 * Math.exp(sigma ** 2 / 2)) < 1e-6);
  const other = lengthsOf({ mean, p95: 4000 });
  assert.ok(Math.abs(other.sigma - sigma) < 1e-6, 'the same distribution by another two figures');
});

test('lengths are positive and ordered for any known values', () => {
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
      const errors = modelErrors(count, 'dense', seededRandom(seed));
      for (const key of ['prefillRate', 'decodeRate', 'tierCost'] as const) {
        assert.equal(new Set(errors.map((error) => error[key])).size, count);
      }
      const middle = (key: 'prefillRate' | 'decodeRate') =>
        errors.map((error) => error[key]).toSorted((a, b) => a - b)[(count - 1) / 2];
      // Half of the measured TTFTs lie below 1.01 times what was predicted without their model, and half of the
      // TPOTs below 1.02 times that.
      if (count % 2 === 1)
        assert.deepEqual([middle('prefillRate'), middle('decodeRate')], [1 / 1.01, 1 / 1.02]);
      if (count === 5) assert.ok(Math.abs(correlation(errors)) <= 2, 'of 10 at most');
    }),
  );
});

/** Correlation of the ranks of the two rates. */
function correlation(errors: readonly ModelError[]): number {
  const ranks = (key: 'prefillRate' | 'decodeRate') => {
    const sorted = errors.map((error) => error[key]).toSorted((a, b) => a - b);
    return errors.map((error) => sorted.indexOf(error[key]) - (errors.length - 1) / 2);
  };
  const decode = ranks('decodeRate');
  return ranks('prefillRate').reduce((sum, rank, i) => sum + rank * (decode[i] as number), 0);
}

test('gains compare runs in pairs, so that what both share cancels', () => {
  const run = (throughput: number, ttftMs: number) =>
    ({ throughput, ttftMs, hitRate: 0.5 }) as Played;
  const base = { name: 'none', runs: [run(100, 50), run(200, 80)] };
  const better = { name: 'native', runs: [run(120, 25), run(240, 40)] };
  const { throughput, ttft } = gainOf(better, base);
  assert.ok(Math.abs(throughput.mean - 0.2) < 1e-12 && throughput.high - throughput.low < 1e-9);
  assert.ok(Math.abs(ttft.mean + 0.5) < 1e-12);
});

test('the hull of gains covers all routers and keeps the mean of the first', () => {
  const gain = (mean: number) => ({
    ...{ of: 'native', over: 'none' },
    throughput: { mean, low: mean - 0.1, high: mean + 0.1 },
    ttft: { mean: -mean, low: -mean, high: -mean },
  });
  const { throughput, ttft } = gainHull([gain(0.1), gain(0.3)]);
  assert.deepEqual([throughput, ttft.mean], [{ mean: 0.1, low: 0, high: 0.4 }, -0.1]);
  assert.deepEqual([ttft.low, ttft.high], [-0.3, -0.1]);
});

test('tensor parallel within a node, pipeline parallel across nodes, heads divided evenly', () => {
  const table: [number, number, number, number][] = [
    // heads, GPUs, tensor, pipeline
    [32, 1, 1, 1],
    [64, 2, 2, 1],
    [128, 8, 8, 1],
    [128, 16, 8, 2],
    [64, 32, 8, 4],
    [28, 4, 4, 1],
    [28, 8, 4, 2],
    [40, 8, 8, 1],
    [32, 3, 1, 3],
    [32, 6, 2, 3],
  ];
  for (const [attentionHeads, gpus, tensor, pipeline] of table) {
    const { tensorParallelSize, pipelineParallelSize } = parallelismOf(
      { attentionHeads, kvHeads: attentionHeads },
      gpus,
    );
    assert.deepEqual([tensorParallelSize, pipelineParallelSize], [tensor, pipeline], `${gpus}`);
  }
  const onNodesOfFour = parallelismOf({ attentionHeads: 64, kvHeads: 64 }, 8, 4);
  assert.deepEqual([onNodesOfFour.tensorParallelSize, onNodesOfFour.pipelineParallelSize], [4, 2]);
  assert.match(onNodesOfFour.because, /^8 GPUs are more than the 4 of a node/);
  const tenKvHeads = parallelismOf({ attentionHeads: 40, kvHeads: 10 }, 4);
  assert.deepEqual([tenKvHeads.tensorParallelSize, tenKvHeads.pipelineParallelSize], [2, 2]);
  assert.match(tenKvHeads.because, /^10 KV heads cannot be divided evenly among 4 GPUs/);
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 128 }),
      fc.integer({ min: 1, max: 64 }),
      (heads, gpus) => {
        const made = parallelismOf({ attentionHeads: heads, kvHeads: heads }, gpus);
        assert.equal(made.tensorParallelSize * made.pipelineParallelSize, gpus);
        assert.ok(heads % made.tensorParallelSize === 0 && made.tensorParallelSize <= 8);
      },
    ),
  );
});

const free = { gpuPricePerHour: undefined, gpuMemoryUtilization: undefined, maxModelLen: 4096 };

test('a model too large for a node gets two nodes as pipeline stages', () => {
  const model = findModel('meta-llama/Llama-3.1-405B');
  const layout = layoutOf({ ...free, model, gpu: findGpu('H100'), gpusPerEngine: undefined });
  const { gpusPerEngine, tensorParallelSize, pipelineParallelSize, config, kvTokens } = layout;
  assert.deepEqual([gpusPerEngine, tensorParallelSize, pipelineParallelSize], [16, 8, 2]);
  const eight = layoutOf({ ...free, model, gpu: findGpu('B200'), gpusPerEngine: undefined });
  assert.deepEqual([eight.gpusPerEngine, eight.pipelineParallelSize], [8, 1]);
  const small = findModel('Qwen3-8B');
  const one = layoutOf({ ...free, model: small, gpu: findGpu('H100'), gpusPerEngine: 1 });
  assert.equal(config.maxNumBatchedTokens, 2 * one.config.maxNumBatchedTokens);
  assert.ok(kvTokens > 100_000);
});

test('an FP8 KV cache is possible on GPUs with FP8 arithmetic, and holds twice as many tokens', () => {
  const layout = (gpu: string, model = 'Qwen3-8B') =>
    layoutOf({ ...free, model: findModel(model), gpu: findGpu(gpu), gpusPerEngine: 1 });
  const hopper = layout('H100');
  const fp8 = withFp8Kv(hopper);
  assert.ok(fp8 && Math.abs(fp8.kvTokens / hopper.kvTokens - 2) < 0.01);
  assert.equal(withFp8Kv(layout('A100')), undefined);
  assert.equal(withFp8Kv(layout('CPU')), undefined);
  assert.ok(withFp8Kv(layout('B300')) && withFp8Kv(layout('L40')), 'all that compute so');
  const gain = (low: number) => ({
    ...{ of: 'fp8', over: 'the plan', ttft: { mean: 0, low: 0, high: 0 } },
    throughput: { mean: 0.1, low, high: 0.2 },
  });
  assert.equal(kvDtypeAdvice(hopper, { layout: fp8, gain: gain(0.05) }).recommended, 'fp8');
  assert.equal(kvDtypeAdvice(hopper, { layout: fp8, gain: gain(-0.01) }).recommended, 'auto');
  assert.match(
    kvDtypeAdvice(layout('A100'), undefined).because,
    /A100-80GB does not compute in FP8/,
  );
});

const request = (at: number, promptTokens: number, blockIds: number[]) => ({
  ...{ arrivalSeconds: at, promptTokens, blockIds, outputTokens: 10 },
});

test('detects shared prefixes and conversations in a trace', () => {
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

test('detects an overloaded fleet and measures its throughput until all requests are served', () => {
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
        ...{ sharedPrefixTokens: 0, prefixGroups: 1, preemptionsPerMinute: 0, loraAdapters: 0 },
      },
    });
  const [calm, flooded] = [play(0.5), play(100)];
  assert.deepEqual([calm.isOverloaded, flooded.isOverloaded], [false, true]);
  assert.ok(Math.abs(calm.throughput / 50 - 1) < 0.25, `${calm.throughput} of 50 tokens/s`);
  assert.ok(flooded.throughput > 2 * calm.throughput, `${flooded.throughput} tokens/s`);
});

test('disaggregated prefill: decodes continue during long prompts, whose first tokens come later', () => {
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
        ...{ sharedPrefixTokens: 0, prefixGroups: 1, preemptionsPerMinute: 0, loraAdapters: 0 },
      },
    });
  const [aggregated, disaggregated] = [play(undefined), play(2)];
  assert.ok(
    disaggregated.tpotMs < 0.85 * aggregated.tpotMs,
    `${disaggregated.tpotMs} and ${aggregated.tpotMs} ms`,
  );
  assert.ok(
    disaggregated.ttftMs > aggregated.ttftMs,
    `${disaggregated.ttftMs} and ${aggregated.ttftMs} ms`,
  );
});
