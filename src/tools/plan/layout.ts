// One engine of the plan: its GPUs, what fits on them, what a step costs, what it costs to run.
import { InputError } from '../../core/base/index.ts';
import {
  bytesPerWeightOf,
  calibratedRoofline,
  type EngineConfig,
  engineConfigFor,
  type GpuSpec,
  gpus,
  type MemoryBudget,
  type ModelSpec,
  memoryBudget,
  modelParameters,
  pointCalibration,
  rooflineCost,
  type StepCostModel,
} from '../../core/engine/index.ts';
import { gpuPricePerHour } from './gpu-prices.ts';

export interface EngineLayout {
  readonly model: ModelSpec;
  readonly gpu: GpuSpec;
  /** GPUs of one engine, all of them tensor parallel. */
  readonly gpusPerEngine: number;
  readonly gpuMemoryUtilization: number;
  readonly config: EngineConfig;
  readonly cost: StepCostModel;
  /** Undefined on the CPU. */
  readonly memory: MemoryBudget | undefined;
  /** Tokens of KV cache that fit beside the weights. */
  readonly kvTokens: number;
  /** Dollars; undefined where no price is known. */
  readonly pricePerHour: number | undefined;
}

export interface LayoutWish {
  readonly model: ModelSpec;
  readonly gpu: GpuSpec;
  /** The fewest that serve when undefined. */
  readonly gpusPerEngine: number | undefined;
  /** Longest request, prompt and answer, tokens. */
  readonly maxModelLen: number;
  readonly gpuPricePerHour: number | undefined;
  /** `plannedMemoryUtilization` when undefined. */
  readonly gpuMemoryUtilization: number | undefined;
}

/**
 * Share of a GPU that a plan gives to vLLM. vLLM's own default, 0.92 since 0.20, leaves 6 GB of an
 * H100; 0.90, the default before, leaves 8, for prompts and CUDA graphs larger than those profiled.
 */
const plannedMemoryUtilization = 0.9;
/** Least share of the GPU memory that KV cache should have, when the number of GPUs is free. */
const kvShareMin = 0.2;
/** Numbers of GPUs that one server can join by tensor parallelism. */
const gpuCounts = [1, 2, 4, 8];

/** @throws {InputError} If the model does not fit, or not with a request of this length. */
export function layoutOf(wish: LayoutWish): EngineLayout {
  const { gpusPerEngine } = wish;
  if (gpusPerEngine !== undefined) return layoutWith(wish, gpusPerEngine);
  const fitting = gpuCounts.filter((count) => fits(wish, count));
  if (fitting.length === 0) return layoutWith(wish, gpuCounts.at(-1) as number);
  const layouts = fitting.map((count) => layoutWith(wish, count));
  return layouts.find(isRoomy) ?? (layouts.at(-1) as EngineLayout);
}

/** Layouts on every GPU that has a price and holds the model, for a plan that may choose. */
export function layoutsOnAnyGpu(wish: Omit<LayoutWish, 'gpu'>): EngineLayout[] {
  return gpus
    .filter(({ memoryBytes, name }) => memoryBytes !== undefined && gpuPricePerHour(name))
    .flatMap((gpu) => {
      try {
        return [layoutOf({ ...wish, gpu })];
      } catch (error) {
        if (error instanceof InputError) return [];
        throw error;
      }
    });
}

function layoutWith(wish: LayoutWish, gpusPerEngine: number): EngineLayout {
  const { model, gpu, gpuMemoryUtilization = plannedMemoryUtilization } = wish;
  const layout = { model, gpu, tensorParallelSize: gpusPerEngine, gpuMemoryUtilization };
  const maxModelLen = Math.min(wish.maxModelLen, model.contextTokensMax);
  const config = engineConfigFor(layout, { maxModelLen });
  const kvTokens = (config.numGpuBlocks - 1) * config.blockSize;
  if (kvTokens < maxModelLen) {
    throw new InputError(
      `A request of ${maxModelLen} tokens does not fit the ${kvTokens} tokens of KV cache that ` +
        `${model.name} leaves on ${gpusPerEngine} × ${gpu.name}; use more or larger GPUs, or shorter prompts`,
    );
  }
  const price = wish.gpuPricePerHour ?? gpuPricePerHour(gpu.name);
  return {
    ...{ model, gpu, gpusPerEngine, config, kvTokens },
    gpuMemoryUtilization,
    cost: rooflineCost(
      calibratedRoofline(
        { model, gpu, tensorParallelSize: gpusPerEngine },
        model.weightPrecision ?? 'bf16',
        pointCalibration,
      ),
    ),
    memory: memoryBudget(layout, config),
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

/** Whether weights leave enough of the GPUs to KV cache. */
function isRoomy({ model, gpu, gpusPerEngine, gpuMemoryUtilization }: EngineLayout): boolean {
  if (gpu.memoryBytes === undefined) return true;
  const weights = (modelParameters(model) * bytesPerWeightOf(model)) / gpusPerEngine;
  return weights / gpu.memoryBytes <= gpuMemoryUtilization - kvShareMin;
}
