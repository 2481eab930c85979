// Plays a plan's workload to a layout on a virtual clock: the simulation behind every figure.
import {
  type EngineConfig,
  kvBytesPerTokenPerGpu,
  kvLink,
  pointCalibration,
  type StepCostModel,
} from '../../core/engine/index.ts';
import { LlmdTieredPolicy } from '../../core/peer-policies/index.ts';
import { type OffloadKind, routingOfLlmd } from '../../core/plan/index.ts';
import {
  type Disaggregation,
  type PolicyChoice,
  simulateFleet,
} from '../../core/simulation/index.ts';
import { startWorkload } from '../../core/workload/index.ts';
import { type EngineLayout, stepCostOf } from './layout.ts';
import type { ModelError } from './model-errors.ts';
import { connectorsOf } from './plan-tiers.ts';
import { planTraffic, primedGroups } from './plan-traffic.ts';
import { type Played, playedOf, type Slo } from './played.ts';
import type { PlanWorkload } from './resolve-input.ts';

export interface PlayOptions {
  readonly layout: EngineLayout;
  readonly engines: number;
  readonly kvOffload: OffloadKind;
  /** Host memory for KV, per engine. */
  readonly offloadGiB: number;
  /** Of Spillway's router, or `routingOfLlmd`. */
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

/** Coarser than vLLM's 16, for speed: hits differ by less than a block, at most a thirtieth of a prompt. */
const simulatedBlockSizes = [128, 64, 32, 16];
const blocksOfPromptMin = 30;
/** Between engines that prefill and engines that decode: what new GPU clusters have. */
export const assumedLink = 'rdma-400g';

/** Plays it once. Equal options give equal results. */
export function playLayout(options: PlayOptions): Played {
  const { layout, engines, workload, clients, requests, e2eSeconds, seed } = options;
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
  const { kvOffload, offloadGiB, error } = options;
  const cost = costWithError(layout, error);
  const tiers = { kvOffload, offloadGiB, layout, engines, cost: error.tierCost };
  const createConnector = connectorsOf(tiers, config.blockSize);
  const { blockSize } = config;
  const wayInSeconds = wayInSecondsOf(workload, error);
  const traffic = planTraffic({ workload, requests, clients, e2eSeconds, wayInSeconds });
  const outputs: number[] = [];
  const result = simulateFleet({
    requests: startWorkload(traffic, { blockTokens: blockSize, seed }).source,
    traceBlockTokens: blockSize,
    engines: Array.from({ length: engines }, () => ({ config, cost, createConnector })),
    ...{ seed, keepSeries: true },
    ...routedBy(options),
    disaggregation: disaggregationOf(options, blockSize),
    onSent: ({ outputTokens }) => outputs.push(outputTokens),
  });
  const { slo } = options;
  const primed = primedGroups(workload, requests);
  return playedOf(result, { outputs, slo, requests, clients, primed, wayInSeconds });
}

/** From the client to the engine's queue, as fitted to serving points: a part of their times to first token. */
function wayInSecondsOf({ promptTokens }: PlanWorkload, { prefillRate }: ModelError): number {
  const { request = 0, token = 0 } = pointCalibration;
  return (request + token * promptTokens.mean) / prefillRate;
}

/**
 * llm-d's scorers know the size of HBM's cache, in blocks of 16 tokens. They are the same with and without a
 * tier: what offload brings is then not mixed with what other weights do.
 */
function routedBy({ layout, policy }: PlayOptions): {
  readonly policy: PolicyChoice;
  readonly reportSeconds?: number;
} {
  if (policy !== routingOfLlmd) return { policy };
  const hbmBlocks = Math.floor(layout.kvTokens / 16);
  return {
    policy: ({ random }) => new LlmdTieredPolicy({ random, hbmBlocks }),
    // llm-d asks its engines every 50 ms.
    reportSeconds: 0.05,
  };
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

/**
 * The roofline of the measured points, wrong by as much as it may be: all that makes up a time to first
 * token, and all that makes up a time per token.
 */
function costWithError(
  engine: EngineLayout,
  { prefillRate, decodeRate }: ModelError,
): StepCostModel {
  return stepCostOf(engine, (constants) => ({
    ...constants,
    matrix: constants.matrix * prefillRate,
    attention: constants.attention * prefillRate,
    ...(constants.prefillLayerSeconds === undefined
      ? {}
      : { prefillLayerSeconds: constants.prefillLayerSeconds / prefillRate }),
    weightMemory: constants.weightMemory * decodeRate,
    kvMemory: constants.kvMemory * decodeRate,
    layerSeconds: constants.layerSeconds / decodeRate,
  }));
}
