// Plays a plan's workload to a layout on a virtual clock: the simulation behind every figure.
import {
  ChunkStore,
  type EngineConfig,
  type KvConnector,
  kvBytesPerTokenPerGpu,
  kvLink,
  Lmcache,
  lmcacheFor,
  NativeOffload,
  nativeOffloadFor,
  type StepCostModel,
} from '../../core/engine/index.ts';
import type { OffloadKind } from '../../core/plan/index.ts';
import {
  backlogGrowth,
  type Disaggregation,
  type FleetSimulationResult,
  overloadedGrowth,
  simulateFleet,
} from '../../core/simulation/index.ts';
import { percentile } from '../../core/stats/index.ts';
import { startWorkload } from '../../core/workload/index.ts';
import { type EngineLayout, stepCostOf } from './layout.ts';
import type { ModelError } from './model-errors.ts';
import { planTraffic } from './plan-traffic.ts';
import type { PlanWorkload } from './resolve-input.ts';

export interface PlayOptions {
  readonly layout: EngineLayout;
  readonly engines: number;
  readonly kvOffload: OffloadKind;
  /** Host memory for KV, per engine. */
  readonly offloadGiB: number;
  readonly policy: string;
  /** Of the engines, those that only prefill, while the others only decode; undefined: all do both. */
  readonly prefillEngines?: number | undefined;
  readonly maxNumSeqs: number;
  readonly workload: PlanWorkload;
  /** Closed loop; undefined: at the workload's rate. */
  readonly clients: number | undefined;
  readonly requests: number;
  /** About how long a request takes; see `planTraffic`. */
  readonly e2eSeconds: number;
  readonly slo: Slo;
  /** Of the traffic. */
  readonly seed: number;
  readonly error: ModelError;
}

/** Goals; what is undefined is met by all. */
export interface Slo {
  readonly ttftMs?: number | undefined;
  readonly tpotMs?: number | undefined;
  readonly e2eMs?: number | undefined;
}

/** What one simulated fleet did once it was warm. */
export interface Played {
  /** Output tokens a second. */
  readonly throughput: number;
  readonly ttftMs: number;
  readonly tpotMs: number;
  readonly e2eMs: number;
  readonly goodput: number;
  readonly hitRate: number;
  readonly kvUseP99: number;
  readonly preemptionsPerMinute: number;
  readonly isOverloaded: boolean;
  /** Requests in flight, on average. */
  readonly concurrency: number;
}

/** Coarser than vLLM's 16, for speed: hits differ by less than a block, at most a thirtieth of a prompt. */
const simulatedBlockSizes = [128, 64, 32, 16];
const blocksOfPromptMin = 30;
/** Requests of this share come first and are not counted: they find cold caches and empty queues. */
const warmUpShare = 0.3;
/** At a rate more: until as many conversations end as begin. */
const warmUpShareAtRate = 0.5;
/** And in a closed loop so many rounds: the first request of each client, and what starts with them. */
const warmUpRounds = 1.2;
/** Between engines that prefill and engines that decode: what new GPU clusters have. */
export const assumedLink = 'rdma-400g';

/** Plays it once. Equal options give equal results. */
export function playLayout(options: PlayOptions): Played {
  const { layout, engines, policy, workload, clients, requests, e2eSeconds, seed } = options;
  const simulatedBlockSize = blockSizeFor(workload);
  const coarser = simulatedBlockSize / layout.config.blockSize;
  const config: EngineConfig = {
    ...layout.config,
    ...(coarser > 1
      ? {
          blockSize: simulatedBlockSize,
          numGpuBlocks: Math.floor((layout.config.numGpuBlocks - 1) / coarser) + 1,
        }
      : {}),
    maxNumSeqs: options.maxNumSeqs,
    maxNumActiveSeqs: options.maxNumSeqs,
  };
  const createConnector = connectorsOf(options, config.blockSize);
  const cost = costWithError(layout, options.error, createConnector !== undefined);
  const { blockSize } = config;
  const traffic = planTraffic({ workload, requests, clients, e2eSeconds });
  const outputs: number[] = [];
  const result = simulateFleet({
    requests: startWorkload(traffic, { blockTokens: blockSize, seed }).source,
    traceBlockTokens: blockSize,
    engines: Array.from({ length: engines }, () => ({ config, cost, createConnector })),
    ...{ policy, seed, keepSeries: true },
    disaggregation: disaggregationOf(options, blockSize),
    onSent: ({ outputTokens }) => outputs.push(outputTokens),
  });
  return summary(result, outputs, options);
}

function disaggregationOf(
  { layout, engines, prefillEngines }: PlayOptions,
  blockSize: number,
): Disaggregation | undefined {
  if (prefillEngines === undefined) return undefined;
  const { model, gpu, gpusPerEngine, tensorParallelSize } = layout;
  const link = kvLink(assumedLink, gpu);
  const blockBytes =
    blockSize * kvBytesPerTokenPerGpu(model, tensorParallelSize) * tensorParallelSize;
  const end = { bytesPerSecond: link.bytesPerSecond * gpusPerEngine, blockBytes, blockSize };
  return {
    roles: Array.from({ length: engines }, (_, i) => (i < prefillEngines ? 'prefill' : 'decode')),
    links: Array.from({ length: engines }, () => end),
    ...{ latencySeconds: link.latencySeconds, decodePolicy: 'leastloaded', loadFailure: 'fail' },
  };
}

function blockSizeFor({ promptTokens }: PlanWorkload): number {
  const largest = promptTokens.mean / blocksOfPromptMin;
  return simulatedBlockSizes.find((size) => size <= largest) ?? 16;
}

/** The roofline of the measured points, wrong by as much as it may be. */
function costWithError(
  engine: EngineLayout,
  { prefillRate, decodeRate, tierOverhead }: ModelError,
  hasTier: boolean,
): StepCostModel {
  const cost = stepCostOf(engine, (constants) => ({
    ...constants,
    matrix: constants.matrix * prefillRate,
    attention: constants.attention * prefillRate,
    weightMemory: constants.weightMemory * decodeRate,
    kvMemory: constants.kvMemory * decodeRate,
    layerSeconds: constants.layerSeconds / decodeRate,
  }));
  const slowdown = hasTier ? 1 + tierOverhead : 1;
  return slowdown === 1 ? cost : { stepSeconds: (load) => cost.stepSeconds(load) * slowdown };
}

/**
 * What all engines of an LMCache fleet share: a store behind one link, as LMCache's own figures for its
 * RESP client and Redis 8.2 have it (5.91 GB/s out, 4.36 GB/s in, 8 connections).
 */
const sharedStore = { readBytesPerSecond: 5.91e9, writeBytesPerSecond: 4.36e9 };

function connectorsOf(
  { kvOffload, offloadGiB, layout, engines }: PlayOptions,
  blockSize: number,
): (() => KvConnector) | undefined {
  // Of an engine in stages, copies of one stage count: those of the others run beside them.
  const { model, gpu, tensorParallelSize } = layout;
  const hostBytes = offloadGiB * 2 ** 30;
  if (kvOffload === 'none' || hostBytes <= 0) return undefined;
  const placed = { model, gpu, tensorParallelSize };
  if (kvOffload === 'native') {
    const config = nativeOffloadFor(placed, { hostBytes, blockSize });
    return () => new NativeOffload({ config, blockSize });
  }
  const config = lmcacheFor(placed, { hostBytes, blockSize });
  const stores =
    engines < 2
      ? []
      : [
          new ChunkStore({
            name: 'server',
            chunksMax: config.localChunksMax * engines,
            chunkBytes: config.chunkBytes,
            read: { bytesPerSecond: sharedStore.readBytesPerSecond },
            write: { bytesPerSecond: sharedStore.writeBytesPerSecond },
          }),
        ];
  return () => new Lmcache({ config, blockSize, stores });
}

function summary(
  result: FleetSimulationResult,
  outputs: readonly number[],
  { slo, requests, clients }: PlayOptions,
): Played {
  const { arrivalSeconds, ttftSeconds, e2eSeconds, promptTokens, cachedTokens } = result;
  const count = arrivalSeconds.length;
  const warmUp = Math.max(
    requests * (clients === undefined ? warmUpShareAtRate : warmUpShare),
    (clients ?? 0) * warmUpRounds,
  );
  const first = Math.min(Math.floor(count / 2), Math.floor(warmUp));
  const start = arrivalSeconds[first] as number;
  const end = arrivalSeconds[count - 1] as number;
  const seconds = Math.max(end - start, 1e-9);
  const isOverloaded =
    clients === undefined &&
    backlogGrowth(result.waitingAtArrival, arrivalSeconds) > overloadedGrowth;
  // Throughput is what was finished while requests still came; what follows is only the run's end. An
  // overloaded fleet has hardly begun by then: its throughput is that of working off all.
  const outputEnd = isOverloaded ? Math.max(result.seconds, start + 1e-9) : start + seconds;
  const totals = {
    answered: 0,
    ttft: 0,
    tpot: 0,
    e2e: 0,
    good: 0,
    prompt: 0,
    cached: 0,
    output: 0,
  };
  for (let i = 0; i < count; i++) {
    const ttft = ttftSeconds[i] as number;
    const e2e = e2eSeconds[i] as number;
    const done = (arrivalSeconds[i] as number) + e2e;
    if (done > start && done <= outputEnd) totals.output += outputs[i] as number;
    if (i < first || Number.isNaN(e2e)) continue;
    const tpot = (e2e - ttft) / Math.max(1, (outputs[i] as number) - 1);
    totals.answered++;
    totals.ttft += ttft;
    totals.tpot += tpot;
    totals.e2e += e2e;
    totals.prompt += promptTokens[i] as number;
    totals.cached += cachedTokens[i] as number;
    if (meets(slo, { ttft, tpot, e2e })) totals.good++;
  }
  const mean = (sum: number) => sum / Math.max(1, totals.answered);
  const kvUse = result.series
    .filter(({ atSeconds }) => atSeconds >= start && atSeconds <= end)
    .map(({ kvUsage }) => Math.max(...kvUsage))
    .toSorted((a, b) => a - b);
  return {
    throughput: totals.output / (outputEnd - start),
    ttftMs: mean(totals.ttft) * 1000,
    tpotMs: mean(totals.tpot) * 1000,
    e2eMs: mean(totals.e2e) * 1000,
    goodput: mean(totals.good),
    hitRate: totals.cached / Math.max(1, totals.prompt),
    kvUseP99: kvUse.length > 0 ? percentile(kvUse, 99) : 0,
    preemptionsPerMinute: (result.preemptions / Math.max(result.seconds, 1e-9)) * 60,
    isOverloaded,
    concurrency: (totals.answered * mean(totals.e2e)) / seconds,
  };
}

function meets(
  { ttftMs = Infinity, tpotMs = Infinity, e2eMs = Infinity }: Slo,
  { ttft, tpot, e2e }: { readonly ttft: number; readonly tpot: number; readonly e2e: number },
): boolean {
  return ttft * 1000 <= ttftMs && tpot * 1000 <= tpotMs && e2e * 1000 <= e2eMs;
}
