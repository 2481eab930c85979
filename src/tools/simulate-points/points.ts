// `spillway simulate points`: latency of an engine at a fixed number of clients, for each row of a
// file.
import { InputError } from '../../core/base/index.ts';
import {
  bytesPerWeight,
  calibratedRoofline,
  checkHeadsShared,
  type GpuSpec,
  kvBytesPerTokenPerGpu,
  kvShareRead,
  type ModelSpec,
  modelParameters,
  type PointCalibration,
  pipelinedCost,
  pointCalibration,
  rooflineCost,
  schedulerDefaults,
} from '../../core/engine/index.ts';
import { closedLoop } from '../../core/simulation/index.ts';
import { attentionBytes, gpuOf, precisionOf, servedModel } from './point-engine.ts';
import type { PointRow } from './points-csv.ts';

export interface PointPrediction {
  readonly ttftMs: number;
  readonly tpotMs: number;
  /** Clients wait for a place in the batch or in the KV cache: the point is beyond the knee. */
  readonly saturated: boolean;
  /** What all clients hold at the end of their answers, of the KV cache. */
  readonly kvShare: number;
}

/** Serving benchmarks send ten requests for each client, all clients at once at the start. */
const requestsPerClient = 10;
/** Share of requests that wait for a place from which on a point counts as saturated. */
const saturatedShare = 0.1;
/** Of GPU memory beside weights and KV cache: activations, graphs, NCCL. */
const reserveBytes = 4e9;
const memoryUtilization = 0.9;

/**
 * Plays the point: all clients start together, each sends its next request when the one before is
 * answered, lengths vary between 0.8 and 1 of the row's.
 *
 * @param kvFactor Multiplies the KV cache that is reckoned with.
 * @throws {InputError} If GPU or model is not known, the heads cannot be shared, or the weights
 *   leave no room.
 */
export function predictPoint(
  point: PointRow,
  calibration: PointCalibration = pointCalibration,
  kvFactor = 1,
): PointPrediction {
  const { tensorParallelSize, attentionDataParallelSize, promptTokens, outputTokens } = point;
  const { pipelineParallelSize: stages, dataParallelSize: cores } = point;
  const gpu = gpuOf(point);
  const model = servedModel(point, gpu);
  const precision = precisionOf(point);
  checkHeadsShared(model, tensorParallelSize);
  const kvTokensMax = Math.floor(kvTokensOf(point, model, gpu) * kvFactor);
  const longest = promptTokens + outputTokens;
  if (kvTokensMax < longest) {
    const gpus = tensorParallelSize * attentionDataParallelSize * stages;
    throw new InputError(
      `${point.model} in ${precision} leaves no room for a request of ${longest} tokens on ` +
        `${gpus} × ${gpu.name}`,
    );
  }
  const layout = {
    ...{ model, gpu, tensorParallelSize, attentionDataParallelSize },
    weightBytesPerValue: bytesPerWeight[precision],
    attentionBytesPerValue: attentionBytes(point),
  };
  const { maxNumSeqs, maxNumBatchedTokens } = schedulerDefaults(gpu);
  // The file counts the clients of one group.
  const clients = Math.ceil((point.clients * attentionDataParallelSize) / cores);
  const of = (name: string) => calibration[name] ?? 0;
  const stage = rooflineCost(calibratedRoofline(layout, precision, calibration));
  const linkBytesPerSecond = gpu.link.bytesPerSecond;
  const result = closedLoop({
    cost: pipelinedCost(stage, { stages, model, linkBytesPerSecond }),
    ...{ kvTokensMax, maxNumSeqs, clients, promptTokens, outputTokens },
    maxNumBatchedTokens: maxNumBatchedTokens * stages,
    requests: clients * requestsPerClient,
    arrivalSeconds: of('request') + of('token') * promptTokens,
    plansAhead: point.plansAhead,
  });
  return {
    ttftMs: result.meanTtftSeconds * 1000,
    tpotMs: result.meanTpotSeconds * 1000,
    saturated: result.waitedShare >= saturatedShare,
    kvShare: (clients * longest) / kvTokensMax,
  };
}

/** Of one engine core, all its GPUs together. */
function kvTokensOf(point: PointRow, model: ModelSpec, gpu: GpuSpec): number {
  const { tensorParallelSize, attentionDataParallelSize, pipelineParallelSize } = point;
  const gpus = tensorParallelSize * attentionDataParallelSize * pipelineParallelSize;
  const weights = (modelParameters(model) * bytesPerWeight[precisionOf(point)]) / gpus;
  const kvBytes = (gpu.memoryBytes ?? 0) * memoryUtilization - weights - reserveBytes;
  const share = kvShareRead(model, point.promptTokens + point.outputTokens);
  return (
    (kvBytes * attentionDataParallelSize * pipelineParallelSize) /
    (kvBytesPerTokenPerGpu(model, tensorParallelSize) * share)
  );
}
