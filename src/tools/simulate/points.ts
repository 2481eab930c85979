// `spillway simulate points`: latency of an engine at a fixed number of clients, for each row of a
// file.
import { InputError } from '../../core/base/index.ts';
import {
  bytesPerWeight,
  calibratedRoofline,
  type GpuSpec,
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
import { loadCatalogue } from '../../io/models/index.ts';
import type { PointRow } from './points-csv.ts';

export interface PointPrediction {
  readonly ttftMs: number;
  readonly tpotMs: number;
  /** Clients wait for a place in the batch or in the KV cache: the point is beyond the knee. */
  readonly saturated: boolean;
}

const catalogue = await loadCatalogue();

/** Serving benchmarks send ten requests for each client, all clients at once at the start. */
const requestsPerClient = 10;
/** Share of requests that wait for a place from which on a point counts as saturated. */
const saturatedShare = 0.1;
/** Of GPU memory beside weights and KV cache: activations, graphs, NCCL. */
const reserveBytes = 4e9;
const memoryUtilization = 0.9;

/**
 * About 90 % of the measured points lie between these multiples of the prediction, by kind of model,
 * whether a point's group, its model or its GPU was left out of the fit: 88 to 95 % do, as
 * `npm run bench:truth` prints.
 */
export const pointIntervals = {
  dense: { ttft: [0.76, 1.67], tpot: [0.8, 1.38] },
  moe: { ttft: [0.71, 1.85], tpot: [0.82, 1.45] },
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
  const gpu = gpuOf(point);
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
  const { outputTokens } = point;
  // The file counts the clients of one group.
  const clients = point.clients * attentionDataParallelSize;
  const of = (name: string) => calibration[name] ?? 0;
  const result = closedLoop({
    cost: rooflineCost(calibratedRoofline(layout, precision, calibration)),
    ...{ kvTokensMax, maxNumSeqs, maxNumBatchedTokens, clients, promptTokens, outputTokens },
    requests: clients * requestsPerClient,
    arrivalSeconds: of('request') + of('token') * promptTokens,
    plansAhead: point.plansAhead,
  });
  return {
    ttftMs: result.meanTtftSeconds * 1000,
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
    const { ttft, tpot } = pointIntervals[kindOf(shapeOf(point))];
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

/** A name, as `b200_sxm`, or a YAML file. */
export function gpuOf({ system }: PointRow): GpuSpec {
  return catalogue.findGpu(system.replace(/_(sxm|pcie|nvl)\d*$/i, ''));
}

/** Names or folders repeat from row to row. */
const shapes = new Map<string, ModelSpec>();
const shapesMax = 1000;

/** The precision of the weights is a column of its own, whatever the name says. */
export function shapeOf({ model: name }: PointRow): ModelSpec {
  const known = shapes.get(name);
  if (known !== undefined) return known;
  const { weightPrecision: _, ...shape } = catalogue.findModel(name);
  if (shapes.size >= shapesMax) shapes.clear();
  shapes.set(name, shape);
  return shape;
}

/**
 * The KV cache is fp8 where the weights are fp8 or less: of all models but gpt-oss on Blackwell, of
 * dense models on H200. With bf16 the knee of Llama-3.1-70B would lie below where it was measured.
 */
function modelOf(point: PointRow, gpu: string): ModelSpec {
  const { model: name, precision } = point;
  const model = shapeOf(point);
  const isDense = model.experts === undefined;
  const isFp8Kv =
    (gpu === 'B200' || (gpu === 'H200' && isDense)) &&
    precision !== 'bf16' &&
    !/gpt-oss/i.test(name);
  return isFp8Kv ? { ...model, kvBytesPerValue: 1 } : model;
}

/** 4-bit mixtures of experts keep their other weights: MiniMax in fp8, the others in bf16. */
function attentionBytes(point: PointRow): number {
  const { model: name, precision } = point;
  const bytes = bytesPerWeight[precision];
  const { experts } = shapeOf(point);
  if (experts === undefined || bytes >= 1) return bytes;
  return /MiniMax/i.test(name) ? 1 : 2;
}
