// Whether an FP8 KV cache pays: the GPU must compute in FP8.
import { kvBytesPerToken, multipliesFp8 } from '../../core/engine/index.ts';
import { number, roundChange } from '../report/index.ts';
import { range } from './figures.ts';
import { type EngineLayout, resized } from './layout.ts';
import type { KvDtypeAdvice } from './plan.ts';
import type { Gain } from './scenario.ts';

/** Minimum gain that justifies testing whether responses change. */
const gainMin = 0.02;

/**
 * Returns the same engine with an FP8 KV cache; undefined if the GPU does not compute in FP8. Such GPUs can store
 * an FP8 cache, but vLLM converts it in each step.
 *
 * @see https://docs.vllm.ai/en/latest/features/quantization/quantized_kvcache/
 */
export function withFp8Kv(layout: EngineLayout): EngineLayout | undefined {
  if (!multipliesFp8(layout.gpu) || isFp8(layout)) return undefined;
  return resized(layout, { kvCacheDtype: 'fp8' });
}

/** @param fp8 Gain of FP8 over the plan; undefined if `withFp8Kv` returned undefined. */
export function kvDtypeAdvice(
  layout: EngineLayout,
  fp8: { readonly layout: EngineLayout; readonly gain: Gain } | undefined,
): KvDtypeAdvice {
  if (fp8 === undefined) {
    return {
      ...{ dtype: 'auto', recommended: 'auto', gain: undefined },
      because: isFp8(layout)
        ? 'the model’s own type already has 8 bits'
        : `${layout.gpu.name} does not compute in FP8`,
    };
  }
  const { gain } = fp8;
  const pays = gain.throughput.low > gainMin;
  const held =
    `fp8 fits ${number(fp8.layout.kvTokens)} tokens per engine instead of ${number(layout.kvTokens)} ` +
    `(${number(kvBytesPerToken(fp8.layout.model) / 1024)} instead of ${number(kvBytesPerToken(layout.model) / 1024)} KiB per token) ` +
    `for ${range(gain.throughput, roundChange)} tokens/s`;
  return {
    ...{ dtype: 'auto', recommended: pays ? 'fp8' : 'auto', gain },
    because: pays
      ? `${held}: use --kv-cache-dtype fp8 once responses pass your own evaluation, best with calibrated scales`
      : `${held}: no certain gain, and responses may change`,
  };
}

function isFp8({ model }: EngineLayout): boolean {
  return (model.kvBytesPerValue ?? model.bytesPerValue) <= 1;
}
