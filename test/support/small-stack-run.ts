// Simulated stacks that are written by hand, with figures small enough to check mentally.
import { resolveValues } from '../../src/core/values/index.ts';
import type { StackRun } from '../../src/tools/simulate-stack/index.ts';

const lengths = { mean: 100, p50: 90, p90: 180, p99: 1990, max: 2500 };
const latency = { mean: 1500, median: 20, percentiles: [{ q: 90, value: 30 }] };

export function stackEngine(name: string, more: object = {}) {
  return {
    ...{ name, gpu: { name: 'H100' }, model: { name: 'm<1>' }, kvTokens: 5000 },
    ...{ tensorParallelSize: 2, pipelineParallelSize: 1, offload: undefined },
    config: { numGpuBlocks: 101, blockSize: 16, maxModelLen: 4096 },
    ...more,
  };
}

/** The result of one engine. */
export function engineResult(more: object = {}) {
  return {
    ...{ requests: 2, computedTokens: 600, cachedTokens: 200, externalTokens: 100 },
    ...{
      restoredTokens: 0,
      recomputedAfterPreemption: 0,
      recomputedAfterEviction: 0,
      outputTokens: 50,
      preemptions: 1,
      utilization: 0.5,
    },
    ...more,
  };
}

/** A response whose tokens arrive at these times after its arrival. */
function timing(...tokenSeconds: readonly number[]) {
  return {
    ...{ index: 0, arrivalSeconds: 0, queuedSeconds: 0, promptTokens: 10, cachedTokens: 0 },
    ...{ engine: 0, tokenSeconds },
  };
}

/** Two engines and four requests in ten seconds; the last request failed. */
export const smallRun = {
  options: {
    values: resolveValues({}).values,
    ...{ seed: 7, speed: 2, failures: [], percentiles: [90], limits: undefined },
  },
  engines: [stackEngine('a'), stackEngine('b')],
  pools: undefined,
  result: {
    ...{ arrivalSeconds: [0, 1, 2, 3], promptTokens: [300, 300, 200, 200], seconds: 10 },
    ...{ ttftSeconds: [0.5, 0.7, 0.9, Number.NaN], failed: [0, 0, 0, 1] },
    ...{ hitRate: 0.5, spread: 1.25, preemptions: 2, retries: 3, rejected: 0, handoffs: undefined },
    engines: [engineResult(), engineResult({ requests: 3 })],
    series: [
      { atSeconds: 0, running: [1, 2], waiting: [0, 4], kvUsage: [0.2, 0.4] },
      { atSeconds: 5, running: [2, 2], waiting: [2, 0], kvUsage: [0.6, 0.8] },
    ],
  },
  timings: [timing(1, 4), timing(0.1, 0.2, 0.5), timing(10)],
  report: {
    ...{ durationSeconds: 10, percentiles: [90], completed: 3, failed: 0, good: undefined },
    ...{ inputTokens: 900, outputTokens: 100, offeredRate: 0.4, sentRate: 0.4 },
    ...{ fromSent: { ttft: latency, tpot: undefined, e2el: latency }, fromScheduled: {} },
    ...{ peakChunksPerSecond: 0, peakConcurrency: 0, cacheQueriedTokens: 0, cachedTokens: 0 },
    ...{ clientLag: undefined, engineLag: undefined, errors: new Map(), engines: new Map() },
  },
  workload: {
    ...{ requests: 400, sessions: 40, spanSeconds: 100, rate: 3.9, gapCv: 1.1 },
    ...{ prompt: lengths, answer: lengths, reusableShare: 0.75, workingSetTokens: 12_345 },
  },
  ...{ offeredRate: 4, refused: 0, notes: ['a note'], clients: undefined },
  ...{
    verdict: 'STABLE',
    utilization: 0.5,
    growth: 0.01,
    rejectedShare: 0,
    arrivalsLastSeconds: 100,
  },
} as unknown as StackRun;

/** A run with other results, and with other fields. */
export function changed(run: StackRun, result: object, more: object = {}): StackRun {
  return { ...run, ...more, result: { ...run.result, ...result } } as StackRun;
}

const pools = {
  ...{ roles: ['prefill', 'decode', 'decode'], link: 'rdma-100g', latencySeconds: 0.002 },
  ...{ prefillPolicy: 'roundrobin', decodePolicy: 'leastloaded', loadFailure: 'fail' },
  gpuBytesPerSecond: [10e9, 10e9, 5e9],
  links: [{ bytesPerSecond: 1000 }, { bytesPerSecond: 500 }, { bytesPerSecond: 500 }],
};

/** One engine prefills and two decode; the prompts of two of four requests were transferred. */
export const disaggregatedRun = changed(
  smallRun,
  {
    ttftSeconds: [3, 1, 5, Number.NaN],
    handoffs: {
      ...{ transferBytes: [8e9, 4e9, -1, 9e9], prefillSeconds: [0.8, 0.4, 9, 9] },
      ...{ waitSeconds: [0.3, 0.1, 9, 9], transferSeconds: [0.6, 0.2, 9, 9] },
      ...{ lost: 1, skipped: 2 },
    },
    engines: [
      engineResult({ role: 'prefill', tiers: { stores: { bytes: 2500 }, loads: { bytes: 7 } } }),
      engineResult({
        role: 'decode',
        tiers: { stores: { bytes: 7 }, loads: { bytes: 4000 } },
        utilization: 0.2,
      }),
      engineResult({ role: 'decode', tiers: undefined, utilization: 0.4 }),
    ],
    series: [
      { atSeconds: 0, running: [1, 1, 1], waiting: [0, 4, 1], kvUsage: [0.2, 0.4, 0.6] },
      { atSeconds: 5, running: [1, 1, 1], waiting: [2, 0, 1], kvUsage: [0.6, 0.8, 0.4] },
    ],
  },
  {
    pools,
    engines: [stackEngine('p'), stackEngine('d'), stackEngine('e', { tensorParallelSize: 1 })],
  },
);
