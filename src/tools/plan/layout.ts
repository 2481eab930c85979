// One engine of a plan: GPUs, memory, step cost and price.
import { InputError } from '../../core/base/index.ts';
import {
  bytesPerWeightOf,
  type EngineConstants,
  type GpuSpec,
  gpus,
  type ModelSpec,
  modelParameters,
} from '../../core/engine/index.ts';
import {
  type SizedEngine,
  sizeEngine,
  gpusPerNode as usualGpusPerNode,
} from '../../core/sizing/index.ts';
import type { MeasuredEngine } from '../../io/profile/index.ts';
import { gpuPrice } from './gpu-prices.ts';
import { parallelismOf } from './parallelism.ts';

export interface EngineLayout extends SizedEngine {
  readonly gpusPerEngine: number;
  readonly gpusPerNode: number;
  /** Reason for the degrees of parallelism. */
  readonly parallelBecause: string;
  readonly gpuMemoryUtilization: number;
  /** Constants of a measured engine that replace the built-in ones. */
  readonly measured: EngineConstants | undefined;
  /** Dollars per hour; undefined if unknown. */
  readonly pricePerHour: number | undefined;
}

export interface LayoutWish {
  readonly model: ModelSpec;
  readonly gpu: GpuSpec;
  /** The smallest number that serves the model if undefined. */
  readonly gpusPerEngine: number | undefined;
  /** GPUs of one host. @default 8 */
  readonly gpusPerNode?: number | undefined;
  /** Maximum length of prompt plus response, in tokens. */
  readonly maxModelLen: number;
  /** Maximum number of requests in a batch; vLLM's default for the GPU if undefined. */
  readonly maxNumSeqs?: number | undefined;
  readonly maxLoras?: number | undefined;
  readonly gpuPricePerHour: number | undefined;
  /** `plannedMemoryUtilization` if undefined. */
  readonly gpuMemoryUtilization: number | undefined;
  /** A measured engine; its shares of the GPU's rates apply to other layouts, too. */
  readonly measured?: Pick<MeasuredEngine, 'gpu' | 'constants'> | undefined;
}

/**
 * Default share of GPU memory for vLLM. vLLM's default, 0.92 since 0.20, leaves 6 GB of an H100 free; the earlier
 * default of 0.90 leaves 8 GB for prompts and CUDA graphs larger than those profiled.
 */
const plannedMemoryUtilization = 0.9;
/** Minimum share of GPU memory for KV cache, if the plan chooses the number of GPUs. */
const kvShareMin = 0.2;
/** Possible numbers of GPUs per engine: a part of a node, or whole nodes. */
const gpuCounts = [1, 2, 4, 8, 16, 24, 32, 48, 64];

/** @throws {InputError} If the model does not fit, or not with a request of this length. */
export function layoutOf(wish: LayoutWish): EngineLayout {
  const { gpusPerEngine, gpusPerNode = usualGpusPerNode } = wish;
  if (gpusPerEngine !== undefined) return layoutWith(wish, gpusPerEngine);
  // Prefer numbers of GPUs that divide the attention heads evenly, and so need no stages within a node.
  const counts = gpuCounts.filter((count) =>
    count > gpusPerNode
      ? count % gpusPerNode === 0
      : parallelismOf(wish.model, count, gpusPerNode).pipelineParallelSize === 1,
  );
  const fitting = counts.filter((count) => fits(wish, count));
  if (fitting.length === 0) return layoutWith(wish, gpusPerNode);
  const layouts = fitting.map((count) => layoutWith(wish, count));
  return layouts.find(isRoomy) ?? (layouts.at(-1) as EngineLayout);
}

/** Returns the same engine with another batch limit or KV-cache type. */
export function resized(
  layout: EngineLayout,
  { maxNumSeqs = layout.config.maxNumSeqs, kvCacheDtype = 'auto' },
): EngineLayout {
  const { model, gpu, tensorParallelSize, pipelineParallelSize } = layout;
  const { gpuMemoryUtilization, measured, config, gpusPerNode } = layout;
  const { maxModelLen, maxLoras } = config;
  const engine = sizeEngine({
    ...{ model, gpu, tensorParallelSize, pipelineParallelSize, gpusPerNode },
    ...{ gpuMemoryUtilization, kvCacheDtype },
    scheduler: { maxModelLen, maxNumSeqs, maxLoras },
    stepCost: measured && { measured },
  });
  return { ...layout, ...engine };
}

/** Returns a layout for every GPU that has a price and holds the model. */
export function layoutsOnAnyGpu(wish: Omit<LayoutWish, 'gpu'>): EngineLayout[] {
  return gpus
    .filter(({ memoryBytes, name }) => memoryBytes !== undefined && gpuPrice(name))
    .flatMap((gpu) => {
      try {
        // Measurements of one GPU do not apply to others.
        const measured = wish.measured?.gpu === gpu.name ? wish.measured : undefined;
        return [layoutOf({ ...wish, gpu, measured })];
      } catch (error) {
        if (error instanceof InputError) return [];
        throw error;
      }
    });
}

function layoutWith(wish: LayoutWish, gpusPerEngine: number): EngineLayout {
  const { model, gpu, gpuMemoryUtilization = plannedMemoryUtilization } = wish;
  const { gpusPerNode = usualGpusPerNode } = wish;
  const measured = wish.measured?.constants;
  const { because: parallelBecause, ...parallelism } = parallelismOf(
    model,
    gpusPerEngine,
    gpusPerNode,
  );
  const engine = sizeEngine({
    ...{ model, gpu, ...parallelism, gpusPerNode, gpuMemoryUtilization },
    scheduler: {
      maxModelLen: Math.min(wish.maxModelLen, model.contextTokensMax),
      ...{ maxNumSeqs: wish.maxNumSeqs, maxLoras: wish.maxLoras },
    },
    stepCost: measured && { measured },
  });
  const price = wish.gpuPricePerHour ?? gpuPrice(gpu.name)?.dollarsPerHour;
  return {
    ...{ ...engine, gpusPerEngine, gpusPerNode, parallelBecause, gpuMemoryUtilization, measured },
    pricePerHour: price === undefined ? undefined : price * gpusPerEngine,
  };
}

function fits(wish: LayoutWish, count: number): boolean {
  try {
    layoutWith(wish, count);
    return true;
  } catch (error) {
    if (error instanceof InputError) return false;
    throw error;
  }
}

/** Whether the weights leave enough memory for KV cache. */
function isRoomy({ model, gpu, gpusPerEngine, gpuMemoryUtilization }: EngineLayout): boolean {
  if (gpu.memoryBytes === undefined) return true;
  const weights = (modelParameters(model) * bytesPerWeightOf(model)) / gpusPerEngine;
  return weights / gpu.memoryBytes <= gpuMemoryUtilization - kvShareMin;
}
