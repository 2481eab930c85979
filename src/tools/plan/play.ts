// Simulates a layout under the workload of a plan in virtual time.
import {
  type EngineConfig,
  kvBytesPerTokenPerGpu,
  kvLink,
  pointCalibration,
  type StepCostModel,
} from '../../core/engine/index.ts';
import { llmdTiered } from '../../core/peer-policies/index.ts';
import { type OffloadKind, routingOfLlmd } from '../../core/plan/index.ts';
import {
  type Disaggregation,
  type PolicyChoice,
  simulateFleet,
} from '../../core/simulation/index.ts';
import { adjustedStepCost } from '../../core/sizing/index.ts';
import { startWorkload } from '../../core/workload/index.ts';
import type { EngineLayout } from './layout.ts';
import type { ModelError } from './model-errors.ts';
import { connectorsOf } from './plan-tiers.ts';
import { planTraffic, primedGroups } from './plan-traffic.ts';
import { type Played, playedOf, type Slo } from './played.ts';
import type { PlanWorkload } from './resolve-input.ts';
import { prefillTokensPerSecond as prefillRateOf } from './transfer.ts';

export interface PlayOptions {
  readonly layout: EngineLayout;
  readonly engines: number;
  readonly kvOffload: OffloadKind;
  /** Host memory for KV cache, in GiB per engine. */
  readonly offloadGiB: number;
  /** Policy of Spillway's router, or `routingOfLlmd`. */
  readonly policy: string;
  /** Number of engines that only prefill, while the others only decode; undefined: all do both. */
  readonly prefillEngines?: number | undefined;
  /** Whether policies use KV events that they do not require. Events take most of a run's time. @default false */
  readonly kvEvents?: boolean | undefined;
  readonly workload: PlanWorkload;
  /** Number of clients of a closed loop; undefined: requests arrive at the workload's rate. */
  readonly clients: number | undefined;
  readonly requests: number;
  /** Approximate duration of a request; see `planTraffic`. */
  readonly e2eSeconds: number;
  readonly slo: Slo;
  /** Seed of the traffic. */
  readonly seed: number;
  readonly error: ModelError;
}

/** Block sizes larger than vLLM's 16, for speed: hits differ by less than a block, at most a thirtieth of a prompt. */
const simulatedBlockSizes = [128, 64, 32, 16];
const blocksOfPromptMin = 30;
/** Assumed link between prefill and decode engines: that of new GPU clusters. */
export const assumedLink = 'rdma-400g';

/** Runs one simulation. Equal options give equal results. */
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
  };
  const { kvOffload, offloadGiB, error } = options;
  const cost = costWithError(layout, error);
  const tiers = { kvOffload, offloadGiB, layout, engines, cost: error.tierCost };
  const createConnector = connectorsOf(tiers, config.blockSize);
  const { blockSize } = config;
  const wayInSeconds = wayInSecondsOf(workload, error);
  const prefillTokensPerSecond = engines * prefillRateOf(layout);
  const traffic = planTraffic({
    ...{ workload, requests, clients, e2eSeconds, wayInSeconds, prefillTokensPerSecond },
  });
  const outputs: number[] = [];
  const result = simulateFleet({
    requests: startWorkload(traffic, { blockTokens: blockSize, seed }).source,
    traceBlockTokens: blockSize,
    engines: Array.from({ length: engines }, () => ({
      ...{ config, cost, createConnector, countsEvicted: true },
    })),
    ...{ seed, keepSeries: true },
    ...routedBy(options),
    disaggregation: disaggregationOf(options, blockSize),
    onSent: ({ outputTokens }) => outputs.push(outputTokens),
  });
  const { slo } = options;
  const primed = primedGroups(workload);
  const primedTokens = primed * workload.sharedPrefixTokens;
  return playedOf(result, {
    ...{ outputs, slo, requests, clients, primed, primedTokens, wayInSeconds },
  });
}

/** Returns the time from the client to the engine's queue, as fitted to the TTFT of serving points. */
function wayInSecondsOf({ promptTokens }: PlanWorkload, { prefillRate }: ModelError): number {
  const { request = 0, token = 0 } = pointCalibration;
  return (request + token * promptTokens.mean) / prefillRate;
}

/**
 * llm-d's scorers receive the size of the KV cache in HBM, in blocks of 16 tokens. They are the same with and without
 * a tier, so that the gain of offload does not include the effect of other weights.
 */
function routedBy({ layout, policy, kvEvents }: PlayOptions): {
  readonly policy: PolicyChoice;
  readonly kvEvents?: boolean | undefined;
  readonly reportSeconds?: number;
} {
  if (policy !== routingOfLlmd) return { policy, kvEvents };
  const hbmBlocks = Math.floor(layout.kvTokens / 16);
  return {
    policy: (options) => llmdTiered.create({ ...options, parameters: { hbmBlocks } }),
    reportSeconds: llmdTiered.consumes.engineReports.everySeconds,
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
 * Returns the calibrated roofline with an error on all parts of TTFT and all parts of TPOT.
 */
function costWithError(
  engine: EngineLayout,
  { prefillRate, decodeRate }: ModelError,
): StepCostModel {
  return adjustedStepCost(engine, (constants) => ({
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
