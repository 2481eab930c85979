// How many KV blocks fit on a GPU beside the weights, as vLLM works it out when it starts.
import { InputError } from '../../base/index.ts';
import {
  defaultEngineConfig,
  type EngineConfig,
  type EngineConfigInput,
  schedulerDefaults,
} from '../config.ts';
import type { GpuSpec } from './gpus.ts';
import {
  bytesPerWeightOf,
  embeddingParameters,
  feedForwardParametersOf,
  kvBytesPerTokenPerGpu,
  type ModelSpec,
  modelParameters,
} from './model-spec.ts';

/**
 * Memory outside weights and KV cache that does not grow with the batch: CUDA libraries, graphs,
 * NCCL. Fitted, with `logitsCopies`, to the two published block counts that
 * docs/models/engine-model.md compares with.
 */
const fixedReserveBytes = 0.71e9;
/** Copies of the fp32 logits of a full batch that the sampler holds at its peak. */
const logitsCopies = 2.4;
const logitBytes = 4;
/** vLLM's default `--gpu-memory-utilization` since 0.20; 0.9 before. */
const defaultMemoryUtilization = 0.92;
/** KV cache of the CPU build where the caller gives none; vLLM's VLLM_CPU_KVCACHE_SPACE of old. */
const defaultCpuKvBytes = 4 * 2 ** 30;

export interface LayoutOptions {
  readonly model: ModelSpec;
  readonly gpu: GpuSpec;
  /** 1 unless given. */
  readonly tensorParallelSize?: number;
  /** Groups of GPUs with a part of the layers each; 1 unless given. */
  readonly pipelineParallelSize?: number;
  /** Engine cores that share the experts of a mixture; 1 unless given. */
  readonly expertCores?: number;
  /** 1 for fp8 weights; that of the checkpoint unless given. The KV cache keeps the model's. */
  readonly weightBytesPerValue?: number;
  /** Share of the GPU's memory that vLLM may use; 0.92 unless given. */
  readonly gpuMemoryUtilization?: number;
  /** Takes the place of the computed size, on each GPU, as `--kv-cache-memory-bytes`. */
  readonly kvCacheMemoryBytes?: number;
  /** Takes the place of the computed count, as `--num-gpu-blocks-override`. */
  readonly numGpuBlocks?: number;
}

/**
 * The configuration that `vllm serve` would start with: its defaults for this GPU, and the KV
 * blocks that fit. Where no `maxModelLen` is given it is the model's, or the longest that fits
 * (vLLM's `--max-model-len auto`).
 *
 * @throws {InputError} If the weights leave no room, or a given value cannot work.
 */
export function engineConfigFor(
  layout: LayoutOptions,
  settings: Omit<Partial<EngineConfigInput>, 'numGpuBlocks'> = {},
): EngineConfig {
  const { model, gpu } = layout;
  const limits = schedulerDefaults({ memoryBytes: gpu.memoryBytes, isA100: gpu.isA100 });
  const blockSize = settings.blockSize ?? (gpu.memoryBytes === undefined ? 128 : 16);
  const maxNumBatchedTokens = settings.maxNumBatchedTokens ?? limits.maxNumBatchedTokens;
  const maxNumSeqs = settings.maxNumSeqs ?? limits.maxNumSeqs;
  const numGpuBlocks =
    layout.numGpuBlocks ?? kvBlocks(layout, { blockSize, maxNumBatchedTokens, maxNumSeqs });
  const poolTokens = (numGpuBlocks - 1) * blockSize;
  const maxModelLen = settings.maxModelLen ?? Math.min(model.contextTokensMax, poolTokens);
  return defaultEngineConfig({
    ...settings,
    blockSize,
    numGpuBlocks,
    maxModelLen,
    maxNumBatchedTokens,
    maxNumSeqs,
  });
}

/**
 * KV blocks of one engine: (memory · utilization − weights − reserve) / bytes per block, the
 * reserve being the activations of a full batch, its logits, and a fixed part.
 *
 * @throws {InputError} If the weights leave no room for one block.
 */
export function kvBlocks(
  layout: LayoutOptions,
  limits: Pick<EngineConfig, 'blockSize' | 'maxNumBatchedTokens' | 'maxNumSeqs'>,
): number {
  const { model, gpu, tensorParallelSize = 1, pipelineParallelSize = 1 } = layout;
  const blockBytes =
    (limits.blockSize * kvBytesPerTokenPerGpu(model, tensorParallelSize)) / pipelineParallelSize;
  const bytes =
    layout.kvCacheMemoryBytes ?? memoryBudget(layout, limits)?.kvCacheBytes ?? defaultCpuKvBytes;
  const blocks = Math.floor(bytes / blockBytes);
  if (blocks >= 2) return blocks;
  const gigabytes = (value: number) => `${(value / 1e9).toFixed(1)} GB`;
  throw new InputError(
    `${model.name} leaves no room for KV cache on ${tensorParallelSize * pipelineParallelSize} × ${gpu.name}: its weights ` +
      `take ${gigabytes(weightBytesPerGpu(layout))} of ` +
      `${gpu.memoryBytes === undefined ? 'memory' : gigabytes(gpu.memoryBytes)} per GPU; use a ` +
      'larger GPU, more of them (tensor parallel), or a smaller model',
  );
}

/** What the memory of one GPU goes to. Bytes; together they are the GPU's memory. */
export interface MemoryBudget {
  readonly weightBytes: number;
  /** Of a full batch, at the peak of a layer. */
  readonly activationBytes: number;
  /** fp32 logits of a full batch and the sampler's copies. */
  readonly logitsBytes: number;
  /** CUDA libraries, graphs, NCCL. */
  readonly fixedBytes: number;
  /** What is left of vLLM's share. */
  readonly kvCacheBytes: number;
  /** What vLLM leaves to others. */
  readonly headroomBytes: number;
}

/**
 * Where a GPU's memory goes.
 *
 * @returns Undefined for the CPU, whose cache size is given and not what is left.
 */
export function memoryBudget(
  layout: LayoutOptions,
  limits: Pick<EngineConfig, 'maxNumBatchedTokens' | 'maxNumSeqs'>,
): MemoryBudget | undefined {
  const { model, gpu, tensorParallelSize = 1 } = layout;
  const { gpuMemoryUtilization = defaultMemoryUtilization } = layout;
  if (gpu.memoryBytes === undefined) return undefined;
  const { hiddenSize, intermediateSize, feedForwardMatrices, experts, bytesPerValue } = model;
  // The feed-forward part is the peak: its inputs and outputs, and the residual stream.
  const active = intermediateSize * (experts?.perToken ?? 1);
  const activationBytes =
    limits.maxNumBatchedTokens *
    ((feedForwardMatrices * active) / tensorParallelSize + 2 * hiddenSize) *
    bytesPerValue;
  const logitsBytes = limits.maxNumSeqs * model.vocabSize * logitBytes * logitsCopies;
  const weightBytes = weightBytesPerGpu(layout);
  const usable = gpu.memoryBytes * gpuMemoryUtilization;
  return {
    ...{ weightBytes, activationBytes, logitsBytes, fixedBytes: fixedReserveBytes },
    kvCacheBytes: usable - weightBytes - activationBytes - logitsBytes - fixedReserveBytes,
    headroomBytes: gpu.memoryBytes - usable,
  };
}

function weightBytesPerGpu(layout: LayoutOptions): number {
  const { model, tensorParallelSize = 1, pipelineParallelSize = 1, weightBytesPerValue } = layout;
  const { expertCores = 1 } = layout;
  const bytesPerValue = weightBytesPerValue ?? bytesPerWeightOf(model);
  // Quantized checkpoints keep embedding and output layer as they were.
  const kept = embeddingParameters(model);
  const experts = (model.experts?.count ?? 0) * model.layers * feedForwardParametersOf(model);
  const own = modelParameters(model) - kept - experts * (1 - 1 / expertCores);
  const bytes = own * bytesPerValue + kept * model.bytesPerValue;
  return bytes / tensorParallelSize / pipelineParallelSize;
}
