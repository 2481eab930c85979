// Sizes one engine: computes KV blocks, context, configuration and step cost from a model, a GPU
// and vLLM's settings. Every program gets its engines here.
import { InputError, withoutUndefined } from '../base/index.ts';
import {
  checkHeadsShared,
  defaultEngineConfig,
  type EngineConfig,
  type HostConstants,
  kvBlocks,
  kvBytesPerTokenPerGpu,
  type LayoutOptions,
  type MemoryBudget,
  memoryBudget,
  type PipelineOptions,
  pipelinedConfig,
  pipelinedCost,
  type RooflineOptions,
  rooflineCost,
  type StepCostModel,
  schedulerDefaults,
} from '../engine/index.ts';
import { type EngineShape, type EngineSpec, engineShape } from './engine-spec.ts';
import { profileHost, rooflineOf } from './step-cost.ts';

/** An engine as `vllm serve` would start it, and the cost of its steps. */
export interface SizedEngine extends EngineShape {
  readonly pipelineParallelSize: number;
  /** Number of GPUs of one engine core. */
  readonly gpus: number;
  readonly config: EngineConfig;
  readonly cost: StepCostModel;
  /** Number of tokens that fit into the KV cache in HBM. */
  readonly kvTokens: number;
  /** Over all GPUs, copies of shared KV heads included. */
  readonly kvBytesPerToken: number;
  /** How the memory of one GPU is used; undefined for the CPU, whose cache size is a setting. */
  readonly memory: MemoryBudget | undefined;
  /** Inputs of `cost`; undefined if step times come from a profile. */
  readonly roofline: RooflineOptions | undefined;
  readonly host: HostConstants;
  readonly pipeline: PipelineOptions;
  /** One sentence for each difference from a vLLM server. */
  readonly notes: readonly string[];
}

/**
 * Number of GPUs in one host with fast all-reduce between them: that of NVIDIA's HGX boards, and
 * the maximum of servers with PCIe cards.
 */
export const gpusPerNode = 8;
/**
 * Bandwidth between two nodes in one direction: a 200 Gb/s adapter, the slowest that NVIDIA's HGX
 * reference designs since the A100 give each GPU.
 */
const networkBytesPerSecond = 25e9;

/**
 * @throws {InputError} If vLLM would not start: the weights do not fit, the GPUs cannot share the
 * attention heads, the context exceeds that of the model or does not fit the KV cache, or a setting
 * is out of range.
 * @example
 * const engine = sizeEngine({ model: findModel('Qwen3-8B'), gpu: findGpu('H100'), kvCacheDtype:
 * 'fp8' });
 * engine.kvTokens; // tokens that fit into the KV cache next to the weights
 */
export function sizeEngine(spec: EngineSpec): SizedEngine {
  const shape = engineShape(spec);
  const { model, gpu, tensorParallelSize } = shape;
  const stages = spec.pipelineParallelSize ?? 1;
  checkHeadsShared(model, tensorParallelSize);
  checkUtilization(spec.gpuMemoryUtilization);
  const gpus = tensorParallelSize * stages;
  const layout = layoutOf(spec, shape);
  const { batch, notes } = batchConfig(spec, layout);
  const roofline = rooflineOf(shape, spec.stepCost, spec.host);
  const isOneNode = gpus <= (spec.gpusPerNode ?? gpusPerNode);
  const pipeline = {
    ...{ stages, model },
    linkBytesPerSecond: isOneNode ? gpu.link.bytesPerSecond : networkBytesPerSecond,
  };
  return {
    ...shape,
    ...{ pipelineParallelSize: stages, gpus, roofline, pipeline },
    notes: [...notes, ...dtypeNotes(shape)],
    config: pipelinedConfig(batch, stages),
    cost: pipelinedCost(stageCost(spec, roofline), pipeline),
    kvTokens: kvTokensOf(batch),
    kvBytesPerToken: kvBytesPerTokenPerGpu(model, tensorParallelSize) * tensorParallelSize,
    memory: memoryBudget(layout, batch),
    host: hostOf(spec, shape, roofline),
  };
}

function layoutOf(spec: EngineSpec, shape: EngineShape): LayoutOptions {
  const { dataParallelSize = 1 } = spec;
  const { model, gpu, tensorParallelSize, weightBytesPerValue } = shape;
  return {
    ...{ model, gpu, tensorParallelSize, weightBytesPerValue },
    pipelineParallelSize: spec.pipelineParallelSize,
    expertCores: model.experts === undefined ? 1 : dataParallelSize,
    gpuMemoryUtilization: spec.gpuMemoryUtilization,
    kvCacheMemoryBytes: spec.kvCacheMemoryBytes,
    numGpuBlocks: spec.numGpuBlocks,
  };
}

/**
 * Reports a type whose arithmetic is not modelled. PyTorch multiplies float32 outside the tensor cores unless TF32
 * is allowed, which vLLM leaves off (`VLLM_FLOAT32_MATMUL_PRECISION`, default `highest`). NVIDIA's data sheets give
 * the A100 19.5 TFLOPS of float32 and 312 of bfloat16, the H100 SXM 67 and 989, the L40S 91.6 and 362.
 */
export function dtypeNotes({ model, gpu }: Pick<EngineShape, 'model' | 'gpu'>): string[] {
  if (model.bytesPerValue < 4 || gpu.memoryBytes === undefined) return [];
  return [
    'float32 is sized with 4 bytes per value, but its arithmetic is computed at the rate of bfloat16: prefill on a real ' +
      'GPU takes 4 to 16 times longer (data sheets of the L40S, H100 and A100).',
  ];
}

/** Returns the configuration of one batch; a pipeline has as many in flight as it has stages. */
function batchConfig(
  { scheduler = {}, allowsLongContext, fitsContext }: EngineSpec,
  layout: LayoutOptions,
): { readonly batch: EngineConfig; readonly notes: readonly string[] } {
  const { model, gpu } = layout;
  const given = withoutUndefined(scheduler);
  const wanted = given.maxModelLen ?? model.contextTokensMax;
  if (wanted > model.contextTokensMax && allowsLongContext !== true) {
    throw new InputError(
      `max_model_len ${wanted} is beyond the ${model.contextTokensMax} tokens that ${model.name} was ` +
        'trained for: vLLM would not start; lower it, or set VLLM_ALLOW_LONG_MAX_MODEL_LEN=1.',
    );
  }
  const defaults = schedulerDefaults({ memoryBytes: gpu.memoryBytes, isA100: gpu.isA100 });
  // Without chunked prefill, vLLM's own budget grows with the longest prompt.
  const tokensMin = given.enableChunkedPrefill === false ? wanted : 0;
  const limits = {
    blockSize: given.blockSize ?? (gpu.memoryBytes === undefined ? cpuBlockSize : gpuBlockSize),
    maxNumSeqs: given.maxNumSeqs ?? defaults.maxNumSeqs,
    maxNumBatchedTokens:
      given.maxNumBatchedTokens ?? Math.max(defaults.maxNumBatchedTokens, tokensMin),
  };
  const numGpuBlocks = layout.numGpuBlocks ?? kvBlocks(layout, limits);
  const kvTokens = kvTokensOf({ numGpuBlocks, blockSize: limits.blockSize });
  const isTooLong = wanted > kvTokens;
  if (isTooLong && given.maxModelLen !== undefined && fitsContext !== true) {
    throw new InputError(
      `max_model_len ${wanted} does not fit in the KV cache of ${kvTokens} tokens that ${model.name} ` +
        `leaves on ${gpusText(layout)}: vLLM would not start; lower it, or use more or larger GPUs.`,
    );
  }
  const notes =
    isTooLong && given.maxModelLen === undefined
      ? [contextNote({ wanted, kvTokens, model: model.name, isAuto: fitsContext === true })]
      : [];
  const maxModelLen = Math.min(wanted, kvTokens);
  return { batch: defaultEngineConfig({ ...given, ...limits, numGpuBlocks, maxModelLen }), notes };
}

/** Reports a context that the KV cache lowered. vLLM lowers it only for `--max-model-len auto`. */
function contextNote(options: {
  readonly wanted: number;
  readonly kvTokens: number;
  readonly model: string;
  readonly isAuto: boolean;
}): string {
  const { wanted, kvTokens, model, isAuto } = options;
  const lowered = `max_model_len is ${kvTokens}, not the ${wanted} of ${model}, because the KV cache holds no more tokens`;
  return isAuto
    ? `${lowered}.`
    : `${lowered}; vLLM would not start, so set it to auto or to ${kvTokens} at most.`;
}

/** vLLM's defaults of `--block-size`, on GPUs and CPUs. */
const [gpuBlockSize, cpuBlockSize] = [16, 128];

/** One block is vLLM's null block. */
function kvTokensOf(config: Pick<EngineConfig, 'numGpuBlocks' | 'blockSize'>): number {
  return (config.numGpuBlocks - 1) * config.blockSize;
}

function gpusText({
  gpu,
  tensorParallelSize = 1,
  pipelineParallelSize = 1,
}: LayoutOptions): string {
  return `${tensorParallelSize * pipelineParallelSize} × ${gpu.name}`;
}

function checkUtilization(share: number | undefined): void {
  if (share === undefined || (share > 0 && share <= 1)) return;
  throw new InputError(
    `gpu_memory_utilization is ${share}; it must be a share of the GPU's memory above 0 and up to 1.`,
  );
}

/** Step time of all layers on one group of GPUs. */
function stageCost({ stepCost }: EngineSpec, roofline: RooflineOptions | undefined): StepCostModel {
  if (typeof stepCost === 'object' && 'profile' in stepCost) return stepCost.profile;
  return rooflineCost(roofline as RooflineOptions);
}

function hostOf(
  { host }: EngineSpec,
  shape: EngineShape,
  roofline: RooflineOptions | undefined,
): HostConstants {
  if (roofline === undefined) return profileHost(shape, host);
  const { hostSecondsPerStep = 0, link } = roofline;
  return { hostSecondsPerStep, link: shape.tensorParallelSize > 1 ? link : undefined };
}
