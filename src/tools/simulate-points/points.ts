// `spillway simulate points`: predicts the latency of an engine at a fixed number of clients, for each row of
// a file.
import {
  type PointCalibration,
  pointCalibration,
  type StepCostModel,
} from '../../core/engine/index.ts';
import {
  type ClosedLoopOptions,
  type ClosedLoopResult,
  closedLoop,
} from '../../core/simulation/index.ts';
import { sizeServingPoint } from '../../core/sizing/index.ts';
import {
  attentionBytes,
  gpuOf,
  precisionOf,
  rowsPerExpert,
  servedModel,
  serverFlags,
} from './point-engine.ts';
import type { PointRow } from './points-csv.ts';
import { type GroupWaits, waitsByOldCounts } from './uneven-groups.ts';

export interface PointPrediction {
  readonly ttftMs: number;
  /** Part of the TTFT: waits at a full group of GPUs while another group has places. */
  readonly groupWaitMs: number;
  readonly tpotMs: number;
  /** Whether clients wait for space in the batch or the KV cache: the point is beyond the knee. */
  readonly saturated: boolean;
  /** Share of the KV cache that all clients need at the end of their responses. */
  readonly kvShare: number;
}

/** Serving benchmarks send ten requests per client, and all clients start at once. */
const requestsPerClient = 10;
/** Share of waiting requests from which a point counts as saturated. */
const saturatedShare = 0.1;

/** What an interval varies. */
export interface PointVariant {
  /** Factor of the computed KV cache. @default 1 */
  readonly kvFactor?: number;
  /** The server's batch, for rows that do not tell it. */
  readonly batch?: number;
}

/**
 * Simulates the point: all clients start together, each sends its next request when the previous one is
 * complete, and lengths vary between 0.8 and 1 of the row's.
 *
 * @param play Simulates the clients of the engine.
 * @throws {InputError} If the GPU or model is unknown, the heads cannot be shared, or the weights leave no
 *   space.
 */
export function predictPoint(
  point: PointRow,
  calibration: PointCalibration = pointCalibration,
  { kvFactor = 1, batch }: PointVariant = {},
  play: (loop: ClosedLoopOptions) => ClosedLoopResult = closedLoop,
): PointPrediction {
  const { tensorParallelSize, attentionDataParallelSize, pipelineParallelSize } = point;
  const { promptTokens, outputTokens, dataParallelSize: cores, load } = point;
  const gpu = gpuOf(point);
  const longest = promptTokens + outputTokens;
  const { hasFp8Kv: _, isBatchUnknown = false, ...flags } = serverFlags(point, gpu);
  const engine = sizeServingPoint({
    ...{ name: point.model, model: servedModel(point, gpu), gpu, precision: precisionOf(point) },
    attentionBytesPerValue: attentionBytes(point),
    ...{ tensorParallelSize, attentionDataParallelSize, pipelineParallelSize },
    ...{ contextTokens: longest, calibration, kvFactor },
    hasSymmetricMemory: point.hasSymmetricMemory,
    rowsPerExpert: rowsPerExpert(point, gpu),
    ...flags,
    ...(batch !== undefined && { maxNumSeqs: batch }),
  });
  const counted = Math.ceil((point.clients * point.clientGroups) / cores);
  const kvShare = (Math.min(counted, engine.maxNumSeqs) * longest) / engine.kvTokensMax;
  const atOnce = isBatchUnknown ? requestsPerClient * engine.maxNumSeqs : undefined;
  const clients = atOnce ?? counted;
  // With equal lengths, a single engine's clients fall into step in the simulation but not in reality, where
  // their first tokens drift apart. They stay in step where groups of GPUs compute one prompt each at the same
  // time, and where all wait for space.
  const hasOneLength = load.isOwnRun && (attentionDataParallelSize > 1 || kvShare >= 1);
  const of = (name: string) => calibration[name] ?? 0;
  const result = play({
    ...{ ...engine, clients, promptTokens, outputTokens },
    ...(hasOneLength && { shortest: 1 }),
    maxNumBatchedTokens: load.maxNumBatchedTokens ?? engine.maxNumBatchedTokens,
    requests: atOnce ?? clients * requestsPerClient,
    arrivalSeconds:
      of('request') +
      of('token') * promptTokens +
      (load.isAiperf ? of('clientAiperf') * clients : 0),
    plansAhead: flags.plansAhead,
    ...(load.distinctPrompts && {
      distinctPrompts: load.distinctPrompts,
      warmUpRequests: clients,
    }),
  });
  const waits = groupWaits(point, engine.cost, result.meanTpotSeconds);
  return {
    ttftMs: (result.meanTtftSeconds + waits.meanSeconds) * 1000,
    groupWaitMs: waits.meanSeconds * 1000,
    tpotMs: result.meanTpotSeconds * 1000,
    saturated:
      result.waitedShare >= saturatedShare ||
      waits.share >= saturatedShare ||
      (load.isOwnRun && kvShare >= 1),
    kvShare,
  };
}

/**
 * Returns the waits at full groups in aiconfigurator's own runs, whose groups have few places. They have places for
 * equal shares and one more request, which makes a difference for one point: of 4 clients at 4 groups with one place each, one in
 * five would wait, and none did.
 */
function groupWaits(
  { load, clients, attentionDataParallelSize: groups, promptTokens, outputTokens }: PointRow,
  cost: StepCostModel,
  stepSeconds: number,
): GroupWaits {
  if (!load.isOwnRun || load.maxNumBatchedTokens === undefined) return { meanSeconds: 0, share: 0 };
  const tokens = groups * promptTokens;
  const onePromptEach = cost.stepSeconds({
    ...{ sequences: groups, tokens, prefillTokens: tokens, prefillTokenContext: 0 },
    prefillTokensSquared: tokens * promptTokens,
    ...{ decodeSequences: 0, decodeContextTokens: 0 },
  });
  return waitsByOldCounts({
    ...{ clients, groups, outputTokens, stepSeconds },
    places: Math.floor(clients / groups) + 1,
    promptSeconds: Math.max(0, onePromptEach - stepSeconds),
    promptsPerStep: load.maxNumBatchedTokens / promptTokens,
  });
}
