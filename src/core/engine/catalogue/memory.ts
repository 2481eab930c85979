// How many KV blocks fit on a GPU next to the weights, as vLLM computes it at start.
import { InputError } from '../../base/index.ts';
import type { EngineConfig } from '../config.ts';
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
 * Memory outside weights and KV cache that does not grow with the batch: CUDA libraries, graphs, NCCL.
 * Fitted, with `logitsCopies`, to the two published block counts in docs/models/engine-model.md.
 */
const fixedReserveBytes = 0.71e9;
/** Copies of the fp32 logits of a full batch that the sampler holds at its peak. */
const logitsCopies = 2.4;
const logitBytes = 4;
/** vLLM's default `--gpu-memory-utilization` since 0.20; 0.9 before. */
const defaultMemoryUtilization = 0.92;
/** Default KV cache of the CPU build: the former default of vLLM's VLLM_CPU_KVCACHE_SPACE. */
const defaultCpuKvBytes = 4 * 2 ** 30;

export interface LayoutOptions {
  readonly model: ModelSpec;
  readonly gpu: GpuSpec;
  /** Default 1. */
  readonly tensorParallelSize?: number | undefined;
  /** Groups of GPUs that each hold a part of the layers; default 1. */
  readonly pipelineParallelSize?: number | undefined;
  /** Engine cores that share the experts of a mixture; default 1. */
  readonly expertCores?: number | undefined;
  /** 1 for fp8 weights; default: that of the checkpoint. The KV cache keeps the model's. */
  readonly weightBytesPerValue?: number | undefined;
  /** Share of the GPU's memory that vLLM may use; default 0.92. */
  readonly gpuMemoryUtilization?: number | undefined;
  /** Overrides the computed size, on each GPU, as `--kv-cache-memory-bytes`. */
  readonly kvCacheMemoryBytes?: number | undefined;
  /** Overrides the computed count, as `--num-gpu-blocks-override`. */
  readonly numGpuBlocks?: number | undefined;
}

/**
 * KV blocks of one engine: (memory · utilization − weights − reserve) / bytes per block. The reserve is
 * the activations of a full batch, its logits, and a fixed part.
 *
 * @throws {InputError} If the weights leave no space for one block.
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
    `${model.name} leaves no space for KV cache on ${tensorParallelSize * pipelineParallelSize} × ${gpu.name}: its weights ` +
      `take ${gigabytes(weightBytesPerGpu(layout))} of ` +
      `${gpu.memoryBytes === undefined ? 'memory' : gigabytes(gpu.memoryBytes)} per GPU; use a ` +
      'larger GPU, more of them (tensor parallel), or a smaller model',
  );
}

/** How the memory of one GPU is used. Bytes; the parts add up to the GPU's memory. */
export interface MemoryBudget {
  readonly weightBytes: number;
  /** Activations of a full batch, at the peak of a layer. */
  readonly activationBytes: number;
  /** fp32 logits of a full batch and the sampler's copies. */
  readonly logitsBytes: number;
  /** Memory of CUDA libraries, graphs, NCCL. */
  readonly fixedBytes: number;
  /** The rest of the share that vLLM may use. */
  readonly kvCacheBytes: number;
  /** The memory that vLLM leaves to other processes. */
  readonly headroomBytes: number;
}

/**
 * Computes how a GPU's memory is used.
 *
 * @returns Undefined for the CPU, whose cache size is configured rather than computed.
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
  // Quantized checkpoints keep the embedding and the output layer at full precision.
  const kept = embeddingParameters(model);
  const experts = (model.experts?.count ?? 0) * model.layers * feedForwardParametersOf(model);
  const own = modelParameters(model) - kept - experts * (1 - 1 / expertCores);
  const bytes = own * bytesPerValue + kept * model.bytesPerValue;
  return bytes / tensorParallelSize / pipelineParallelSize;
}
