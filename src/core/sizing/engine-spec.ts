// The specification of one vLLM engine, and the resulting shape of its model on its GPUs.
import {
  bytesPerWeightOf,
  type EngineConfig,
  type GpuSpec,
  type MeasuredLayout,
  type ModelSpec,
  precisionNamed,
  type WeightPrecision,
} from '../engine/index.ts';
import { bytesOfDtype, bytesOfKvDtype } from './dtypes.ts';
import type { HostOverrides, StepCostSource } from './step-cost-source.ts';

/** vLLM's scheduler settings; unset ones have vLLM's defaults for the GPU. */
export type SchedulerSettings = {
  readonly [Name in Exclude<keyof EngineConfig, 'numGpuBlocks'>]?: EngineConfig[Name] | undefined;
};

/** Settings that determine the size of an engine; unset ones have vLLM's defaults. */
export interface EngineSpec {
  readonly model: ModelSpec;
  readonly gpu: GpuSpec;
  /** Number of GPUs that share each layer. @default 1 */
  readonly tensorParallelSize?: number | undefined;
  /** Number of such groups of GPUs, each with a part of the layers. @default 1 */
  readonly pipelineParallelSize?: number | undefined;
  /** Number of GPUs in one host; stages of a larger engine are connected by the network. @default 8 */
  readonly gpusPerNode?: number | undefined;
  /**
   * Number of engine cores, of which this is one; those of a mixture of experts share its experts.
   * @default 1
   */
  readonly dataParallelSize?: number | undefined;
  /** vLLM's `--dtype`: weights that are not quantized, activations, and KV cache. @default 'auto' */
  readonly dtype?: string | undefined;
  /** vLLM's `--quantization`; it takes precedence over the checkpoint. */
  readonly quantization?: string | undefined;
  /** vLLM's `--kv-cache-dtype`. @default 'auto' */
  readonly kvCacheDtype?: string | undefined;
  /** Share of each GPU's memory that vLLM may use, in (0, 1]. @default 0.92 */
  readonly gpuMemoryUtilization?: number | undefined;
  /** Bytes of KV cache on each GPU, instead of the free memory. */
  readonly kvCacheMemoryBytes?: number | undefined;
  /** Number of KV blocks, instead of the computed number. */
  readonly numGpuBlocks?: number | undefined;
  readonly scheduler?: SchedulerSettings | undefined;
  /**
   * Allows a `maxModelLen` beyond the context that the model was trained for, like
   * VLLM_ALLOW_LONG_MAX_MODEL_LEN and scaled position embeddings. @default false
   */
  readonly allowsLongContext?: boolean | undefined;
  /**
   * Lowers a `maxModelLen` that the KV cache cannot hold, instead of an error; and if there is none,
   * as `--max-model-len auto` does, without a note that vLLM would refuse it. @default false
   */
  readonly fitsContext?: boolean | undefined;
  /** Source of step times. @default 'calibrated' */
  readonly stepCost?: StepCostSource | undefined;
  /** Replaces the built-in constants of the GPU's host. */
  readonly host?: HostOverrides | undefined;
}

/** The model as the engine loads it, and the GPUs that share each layer. */
export interface EngineShape extends MeasuredLayout {
  /** Precision of the weights in matrix products. */
  readonly precision: WeightPrecision;
}

/**
 * Returns the shape that results from number formats and degrees of parallelism. It is known before
 * sizing, and a profile of step times is read for it.
 *
 * @throws {InputError} If a number format is unknown.
 */
export function engineShape(spec: EngineSpec): EngineShape {
  const { gpu, tensorParallelSize = 1, quantization = '' } = spec;
  const bytesPerValue = bytesOfDtype(spec.dtype) ?? spec.model.bytesPerValue;
  const kvBytesPerValue = bytesOfKvDtype(spec.kvCacheDtype) ?? spec.model.kvBytesPerValue;
  const model: ModelSpec = {
    ...spec.model,
    bytesPerValue,
    ...(kvBytesPerValue !== undefined && { kvBytesPerValue }),
  };
  return {
    ...{ model, gpu, tensorParallelSize },
    weightBytesPerValue: bytesPerWeightOf(model, quantization),
    precision: precisionNamed(quantization) ?? model.weightPrecision ?? 'bf16',
  };
}
