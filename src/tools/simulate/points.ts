// `spillway simulate points`: latency of an engine at a fixed number of clients, for each row of a
// file.
import { InputError } from '../../core/base/index.ts';
import {
  bareCheckpointName,
  bytesPerWeight,
  calibratedRoofline,
  findGpu,
  findModel,
  kvBytesPerTokenPerGpu,
  kvShareRead,
  type ModelSpec,
  modelParameters,
  type PointCalibration,
  pointCalibration,
  rooflineCost,
  schedulerDefaults,
} from '../../core/engine/index.ts';
import { closedLoop } from '../../core/simulation/index.ts';
import type { PointRow } from './points-csv.ts';

export interface PointPrediction {
  readonly ttftMs: number;
  readonly tpotMs: number;
  /** Clients wait for a place in the batch or in the KV cache: the point is beyond the knee. */
  readonly saturated: boolean;
}

/** Serving benchmarks send ten requests for each client, all clients at once at the start. */
const requestsPerClient = 10;
/** Share of requests that wait for a place from which on a point counts as saturated. */
const saturatedShare = 0.1;
/** Of GPU memory beside weights and KV cache: activations, graphs, NCCL. */
const reserveBytes = 4e9;
const memoryUtilization = 0.9;

/**
 * 90 % of the measured points of other engines lie between these multiples of the prediction, by
 * kind of model: quantiles over all groups, each predicted without itself (`npm run bench:truth`).
 */
export const pointIntervals = {
  dense: { ttft: [0.72, 1.57], tpot: [0.84, 1.18] },
  moe: { ttft: [0.71, 1.9], tpot: [0.79, 1.53] },
} as const;

/**
 * Plays the point: all clients start together, each sends its next request when the one before is
 * answered, lengths vary between 0.8 and 1 of the row's.
 *
 * @throws {InputError} If GPU or model is not in the catalogue, or the weights leave no room.
 */
export function predictPoint(
  point: PointRow,
  calibration: PointCalibration = pointCalibration,
): PointPrediction {
  const { precision, tensorParallelSize, attentionDataParallelSize, promptTokens } = point;
  const gpu = findGpu(point.system.replace(/_(sxm|pcie|nvl)\d*$/i, ''));
  const model = modelOf(point, gpu.name);
  const gpus = tensorParallelSize * attentionDataParallelSize;
  const memory = gpu.memoryBytes ?? 0;
  const weights = (modelParameters(model) * bytesPerWeight[precision]) / gpus;
  const kvBytes = memory * memoryUtilization - weights - reserveBytes;
  const kvTokensMax = Math.floor(
    (kvBytes * attentionDataParallelSize) /
      (kvBytesPerTokenPerGpu(model, tensorParallelSize) *
        kvShareRead(model, promptTokens + point.outputTokens)),
  );
  if (kvTokensMax < promptTokens + point.outputTokens) {
    throw new InputError(
      `${point.model} in ${precision} leaves no room for a request of ` +
        `${promptTokens + point.outputTokens} tokens on ${gpus} × ${gpu.name}`,
    );
  }
  const layout = {
    ...{ model, gpu, tensorParallelSize, attentionDataParallelSize },
    weightBytesPerValue: bytesPerWeight[precision],
    attentionBytesPerValue: attentionBytes(point),
  };
  const { maxNumSeqs, maxNumBatchedTokens } = schedulerDefaults(gpu);
  const { clients, outputTokens } = point;
  const result = closedLoop({
    cost: rooflineCost(calibratedRoofline(layout, precision, calibration)),
    ...{ kvTokensMax, maxNumSeqs, maxNumBatchedTokens, clients, promptTokens, outputTokens },
    requests: clients * requestsPerClient,
  });
  return {
    ttftMs: (result.meanTtftSeconds + (calibration['request'] ?? 0)) * 1000,
    tpotMs: result.meanTpotSeconds * 1000,
    saturated: result.waitedShare >= saturatedShare,
  };
}

/** One row as JSON: what it asked, and the answer or, in `error`, why there is none. */
export function pointJson(point: PointRow): Record<string, unknown> {
  const asked = {
    row: point.row,
    system: point.system,
    model_path: point.model,
    precision: point.precision,
    tp_size: point.tensorParallelSize,
    attention_dp_size: point.attentionDataParallelSize,
    isl: point.promptTokens,
    osl: point.outputTokens,
    batch_size: point.clients,
  };
  try {
    const { ttftMs, tpotMs, saturated } = predictPoint(point);
    const { ttft, tpot } = pointIntervals[kindOf(findModel(bareCheckpointName(point.model)))];
    return {
      ...asked,
      predicted_ttft_ms: ttftMs,
      ttft_interval_ms: ttft.map((share) => share * ttftMs),
      predicted_tpot_ms: tpotMs,
      tpot_interval_ms: tpot.map((share) => share * tpotMs),
      saturated,
    };
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    const none = { predicted_ttft_ms: null, ttft_interval_ms: null, predicted_tpot_ms: null };
    return { ...asked, ...none, tpot_interval_ms: null, saturated: null, error: error.message };
  }
}

/** Which interval a model's points have. */
export function kindOf(model: ModelSpec): keyof typeof pointIntervals {
  return model.experts === undefined ? 'dense' : 'moe';
}

/** The measured engines on Blackwell keep an fp8 KV cache where the weights are fp8 or less. */
function modelOf({ model: name, precision }: PointRow, gpu: string): ModelSpec {
  const model = findModel(bareCheckpointName(name));
  const isFp8Kv = gpu === 'B200' && precision !== 'bf16' && !/gpt-oss/i.test(name);
  return isFp8Kv ? { ...model, kvBytesPerValue: 1 } : model;
}

/** 4-bit mixtures of experts keep their other weights: MiniMax in fp8, the others in bf16. */
function attentionBytes({ model: name, precision }: PointRow): number {
  const bytes = bytesPerWeight[precision];
  const { experts } = findModel(bareCheckpointName(name));
  if (experts === undefined || bytes >= 1) return bytes;
  return /MiniMax/i.test(name) ? 1 : 2;
}
