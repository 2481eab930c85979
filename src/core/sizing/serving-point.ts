// Sizes the engine of a published serving point. Its row states neither the memory settings nor
// what the server reserved, so the KV cache is computed in tokens by a separate rule.
import { InputError } from '../base/index.ts';
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
  type RooflineOptions,
  rooflineCost,
  type StepCostModel,
  schedulerDefaults,
  type WeightPrecision,
} from '../engine/index.ts';

export interface ServingPointSpec {
  /** Name of the row, for errors. */
  readonly name: string;
  /** The model, with KV values in the precision that was served. */
  readonly model: ModelSpec;
  readonly gpu: GpuSpec;
  readonly precision: WeightPrecision;
  /** Bytes of a weight outside the experts. */
  readonly attentionBytesPerValue: number;
  readonly tensorParallelSize: number;
  /** Number of groups of GPUs that each compute the attention of a part of the requests. */
  readonly attentionDataParallelSize: number;
  readonly pipelineParallelSize: number;
  /** Tokens of the longest request, prompt and output. */
  readonly contextTokens: number;
  readonly calibration: PointCalibration;
  /**
   * Whether this vLLM sums all-reduces in the switch on Blackwell, through PyTorch's symmetric memory: the
   * default since 0.11 (https://github.com/vllm-project/vllm/pull/24111). On Hopper, NCCL does so as well.
   */
  readonly hasSymmetricMemory: boolean;
  /** Rows that the kernels of the experts set aside for each expert; see `RooflineOptions`. */
  readonly rowsPerExpert?: number | undefined;
  /** Factor of the computed KV cache. */
  readonly kvFactor: number;
  /** vLLM's flags; undefined: its defaults. */
  readonly gpuMemoryUtilization?: number | undefined;
  readonly maxNumSeqs?: number | undefined;
  readonly maxNumBatchedTokens?: number | undefined;
  readonly graphTokensMax?: number | undefined;
  readonly fusesAllReduce?: boolean | undefined;
  readonly plansAhead?: boolean | undefined;
}

export interface ServingPointEngine {
  readonly cost: StepCostModel;
  /** For all GPUs together. */
  readonly kvTokensMax: number;
  readonly maxNumSeqs: number;
  readonly maxNumBatchedTokens: number;
}

/** GPU memory for other things than weights and KV cache: activations, graphs, NCCL. */
const reserveBytes = 4e9;
const memoryUtilization = 0.9;

/**
 * @throws {InputError} If the heads cannot be shared, or the weights leave no space for a request.
 * @see docs/models/engine-model.md, "Serving points"
 */
export function sizeServingPoint(spec: ServingPointSpec): ServingPointEngine {
  const { model, gpu, precision, calibration } = spec;
  const { tensorParallelSize, attentionDataParallelSize, pipelineParallelSize: stages } = spec;
  checkHeadsShared(model, tensorParallelSize);
  const kvTokensMax = Math.floor(kvTokensOf(spec) * spec.kvFactor);
  if (kvTokensMax < spec.contextTokens) {
    throw new InputError(
      `${spec.name} in ${precision} leaves no space for a request of ${spec.contextTokens} tokens on ` +
        `${gpusOf(spec)} × ${gpu.name}`,
    );
  }
  const layout = {
    ...{ model, gpu, tensorParallelSize, attentionDataParallelSize },
    weightBytesPerValue: bytesPerWeight[precision],
    attentionBytesPerValue: spec.attentionBytesPerValue,
    rowsPerExpert: spec.rowsPerExpert,
    graphTokensMax: spec.graphTokensMax,
    fusesAllReduce: spec.fusesAllReduce,
    plansAhead: spec.plansAhead,
  };
  const defaults = schedulerDefaults(gpu);
  const { maxNumSeqs = defaults.maxNumSeqs, maxNumBatchedTokens = defaults.maxNumBatchedTokens } =
    spec;
  const options = calibratedRoofline(layout, precision, calibration);
  const stage = rooflineCost(
    spec.hasSymmetricMemory || gpu.name !== 'B200' ? options : withoutSwitch(options),
  );
  const linkBytesPerSecond = gpu.link.bytesPerSecond;
  return {
    cost: pipelinedCost(stage, { stages, model, linkBytesPerSecond }),
    ...{ kvTokensMax, maxNumSeqs },
    maxNumBatchedTokens: maxNumBatchedTokens * stages,
  };
}

function withoutSwitch(options: RooflineOptions): RooflineOptions {
  if (options.link === undefined) return options;
  const { inSwitchGpusMin: _, ...link } = options.link;
  return { ...options, link };
}

function kvTokensOf(spec: ServingPointSpec): number {
  const { model, gpu, tensorParallelSize, contextTokens } = spec;
  const weights = (modelParameters(model) * bytesPerWeight[spec.precision]) / gpusOf(spec);
  const kvBytes =
    (gpu.memoryBytes ?? 0) * (spec.gpuMemoryUtilization ?? memoryUtilization) -
    weights -
    reserveBytes;
  const share = kvShareRead(model, contextTokens);
  return (
    (kvBytes * spec.attentionDataParallelSize * spec.pipelineParallelSize) /
    (kvBytesPerTokenPerGpu(model, tensorParallelSize) * share)
  );
}

function gpusOf(spec: ServingPointSpec): number {
  return spec.tensorParallelSize * spec.attentionDataParallelSize * spec.pipelineParallelSize;
}
