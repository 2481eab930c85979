// Whether KV cache should be kept in 8 bits: where the GPU computes with them, and it pays.
import { kvBytesPerToken, multipliesFp8 } from '../../core/engine/index.ts';
import { change, number, range } from './figures.ts';
import { type EngineLayout, layoutOf } from './layout.ts';
import type { Gain, KvDtypeAdvice } from './plan.ts';

/** Least gain for which answers that may change are worth a test. */
const gainMin = 0.02;

/**
 * The same engine with KV cache in 8 bits; undefined where that is no choice: GPUs that do not multiply FP8
 * keep such a cache, too, but vLLM converts it for each step.
 *
 * @see https://docs.vllm.ai/en/latest/features/quantization/quantized_kvcache/
 */
export function withFp8Kv(layout: EngineLayout): EngineLayout | undefined {
  const { model, gpu, gpusPerEngine, gpuMemoryUtilization, config, pricePerHour } = layout;
  if (!multipliesFp8(gpu) || isFp8(layout)) return undefined;
  return layoutOf({
    ...{ model: { ...model, kvBytesPerValue: 1 }, gpu, gpusPerEngine, gpuMemoryUtilization },
    maxModelLen: config.maxModelLen,
    gpuPricePerHour: pricePerHour === undefined ? undefined : pricePerHour / gpusPerEngine,
  });
}

/** @param gain Of 8 bits over the plan; undefined where `withFp8Kv` was. */
export function kvDtypeAdvice(
  layout: EngineLayout,
  fp8: { readonly layout: EngineLayout; readonly gain: Gain } | undefined,
): KvDtypeAdvice {
  if (fp8 === undefined) {
    return {
      ...{ dtype: 'auto', recommended: 'auto', gain: undefined },
      because: isFp8(layout)
        ? 'the model’s own type has 8 bits'
        : `${layout.gpu.name} does not compute in FP8`,
    };
  }
  const { gain } = fp8;
  const pays = gain.throughput.low > gainMin;
  const held =
    `fp8 holds ${number(fp8.layout.kvTokens)} tokens per engine for ${number(layout.kvTokens)} ` +
    `(${number(kvBytesPerToken(fp8.layout.model) / 1024)} for ${number(kvBytesPerToken(layout.model) / 1024)} KiB a token) ` +
    `and brings ${range(gain.throughput, change)} tokens/s`;
  return {
    ...{ dtype: 'auto', recommended: pays ? 'fp8' : 'auto', gain },
    because: pays
      ? `${held}: worth --kv-cache-dtype fp8 once its answers have passed your own test, best with calibrated scales`
      : `${held}: no sure gain, and answers may change`,
  };
}

function isFp8({ model }: EngineLayout): boolean {
  return (model.kvBytesPerValue ?? model.bytesPerValue) <= 1;
}
