// One engine of the plan: its GPUs, what fits on them, what a step costs, what it costs to run.
import { InputError } from '../../core/base/index.ts';
import {
  bytesPerWeightOf,
  calibratedRoofline,
  type EngineConfig,
  type EngineConstants,
  engineConfigFor,
  engineRoofline,
  type GpuSpec,
  gpus,
  type MemoryBudget,
  type ModelSpec,
  memoryBudget,
  modelParameters,
  pipelinedConfig,
  pipelinedCost,
  pointCalibration,
  type RooflineConstants,
  rooflineCost,
  type StepCostModel,
} from '../../core/engine/index.ts';
import type { MeasuredEngine } from '../../io/profile/index.ts';
import { gpuPrice } from './gpu-prices.ts';
import { gpusPerNode, type Parallelism, parallelismOf } from './parallelism.ts';

export interface EngineLayout extends Omit<Parallelism, 'because'> {
  readonly model: ModelSpec;
  readonly gpu: GpuSpec;
  readonly gpusPerEngine: number;
  /** Why the GPUs are shared so. */
  readonly parallelBecause: string;
  readonly gpuMemoryUtilization: number;
  readonly config: EngineConfig;
  readonly cost: StepCostModel;
  /** Constants of a measured engine, in place of those that ship. */
  readonly measured: EngineConstants | undefined;
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
  /** An engine that was measured: its shares of the GPU's rates carry over to other layouts. */
  readonly measured?: Pick<MeasuredEngine, 'gpu' | 'constants'> | undefined;
}

/**
 * Share of a GPU that a plan gives to vLLM. vLLM's own default, 0.92 since 0.20, leaves 6 GB of an
 * H100; 0.90, the default before, leaves 8, for prompts and CUDA graphs larger than those profiled.
 */
const plannedMemoryUtilization = 0.9;
/** Least share of the GPU memory that KV cache should have, when the number of GPUs is free. */
const kvShareMin = 0.2;
/** Numbers of GPUs that an engine may get: a part of a node, or whole nodes. */
const gpuCounts = [1, 2, 4, 8, 16, 24, 32, 48, 64];
/**
 * Between two nodes, one direction: a 200 Gb/s adapter, the least that NVIDIA's HGX reference designs since
 * the A100 give each GPU.
 */
const networkBytesPerSecond = 25e9;

/** @throws {InputError} If the model does not fit, or not with a request of this length. */
export function layoutOf(wish: LayoutWish): EngineLayout {
  const { gpusPerEngine } = wish;
  if (gpusPerEngine !== undefined) return layoutWith(wish, gpusPerEngine);
  // Where heads cannot be shared evenly a node runs stages; another number of GPUs does without.
  const counts = gpuCounts.filter(
    (count) => count > gpusPerNode || parallelismOf(wish.model, count).pipelineParallelSize === 1,
  );
  const fitting = counts.filter((count) => fits(wish, count));
  if (fitting.length === 0) return layoutWith(wish, gpusPerNode);
  const layouts = fitting.map((count) => layoutWith(wish, count));
  return layouts.find(isRoomy) ?? (layouts.at(-1) as EngineLayout);
}

/** Layouts on every GPU that has a price and holds the model, for a plan that may choose. */
export function layoutsOnAnyGpu(wish: Omit<LayoutWish, 'gpu'>): EngineLayout[] {
  return gpus
    .filter(({ memoryBytes, name }) => memoryBytes !== undefined && gpuPrice(name))
    .flatMap((gpu) => {
      try {
        // What was measured of one GPU tells nothing when GPUs are compared.
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
  const measured = wish.measured?.constants;
  const { because: parallelBecause, ...parallelism } = parallelismOf(model, gpusPerEngine);
  const layout = { model, gpu, ...parallelism, gpuMemoryUtilization };
  const maxModelLen = Math.min(wish.maxModelLen, model.contextTokensMax);
  const batch = engineConfigFor(layout, { maxModelLen });
  const config = pipelinedConfig(batch, parallelism.pipelineParallelSize);
  const kvTokens = (config.numGpuBlocks - 1) * config.blockSize;
  if (kvTokens < maxModelLen) {
    throw new InputError(
      `A request of ${maxModelLen} tokens does not fit the ${kvTokens} tokens of KV cache that ` +
        `${model.name} leaves on ${gpusPerEngine} × ${gpu.name}; use more or larger GPUs, or shorter prompts`,
    );
  }
  const price = wish.gpuPricePerHour ?? gpuPrice(gpu.name)?.dollarsPerHour;
  return {
    ...{ model, gpu, gpusPerEngine, ...parallelism, parallelBecause, config, kvTokens },
    gpuMemoryUtilization,
    cost: stepCostOf({ model, gpu, ...parallelism, gpusPerEngine, measured }),
    measured,
    memory: memoryBudget(layout, batch),
    pricePerHour: price === undefined ? undefined : price * gpusPerEngine,
  };
}

/** What a step costs, with other constants of the roofline where they are given. */
export function stepCostOf(
  layout: Pick<
    EngineLayout,
    'model' | 'gpu' | 'tensorParallelSize' | 'pipelineParallelSize' | 'gpusPerEngine' | 'measured'
  >,
  adjust: (constants: RooflineConstants) => RooflineConstants = (same) => same,
): StepCostModel {
  const { model, gpu, tensorParallelSize, pipelineParallelSize, gpusPerEngine, measured } = layout;
  const engine = { model, gpu, tensorParallelSize };
  const weightBytesPerValue = bytesPerWeightOf(model);
  const options = measured
    ? engineRoofline({ ...engine, weightBytesPerValue }, measured)
    : calibratedRoofline(engine, model.weightPrecision ?? 'bf16', pointCalibration);
  const cost = rooflineCost({
    ...options,
    constants: options.constants && adjust(options.constants),
  });
  const isOneNode = gpusPerEngine <= gpusPerNode;
  return pipelinedCost(cost, {
    ...{ stages: pipelineParallelSize, model },
    linkBytesPerSecond: isOneNode ? gpu.link.bytesPerSecond : networkBytesPerSecond,
  });
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
