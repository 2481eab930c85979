// Reads the size of weights from a checkpoint's name or vLLM's --quantization.

/** Precision of the weights of matrix products. */
export type WeightPrecision = 'bf16' | 'fp8' | 'fp4' | 'int4';

/** Bytes of a weight; 4-bit formats with their scales: 8 bits for 16 values, 16 for 64. */
export const bytesPerWeight: Readonly<Record<WeightPrecision, number>> = {
  ...{ bf16: 2, fp8: 1, fp4: 0.5625, int4: 0.53 },
};

const marks: readonly (readonly [RegExp, WeightPrecision])[] = [
  [/(^|[-_.])(nvfp4|mxfp4|fp4|modelopt_fp4)([-_.]|$)/, 'fp4'],
  [
    /(^|[-_.])(int4|w4a16|w4a8|w4afp8|awq|gptq|awq_marlin|gptq_marlin|4bit|bitsandbytes)([-_.]|$)/,
    'int4',
  ],
  [/(^|[-_.])(fp8|mxfp8|w8a8|w8a16|int8|modelopt|ptpc_fp8|8bit|fp8_dynamic)([-_.]|$)/, 'fp8'],
];

/**
 * Returns the precision in the name of a checkpoint or of a quantization method.
 *
 * @returns Undefined if the name contains none: the checkpoint's own type applies.
 * @example precisionNamed('RedHatAI/Qwen3-32B-FP8-dynamic'); // 'fp8'
 */
export function precisionNamed(name: string): WeightPrecision | undefined {
  const lower = name.toLowerCase();
  return marks.find(([mark]) => mark.test(lower))?.[1];
}

/**
 * Returns a checkpoint's name without owner, folders and precision.
 *
 * @example bareCheckpointName('nvidia/Llama-3.1-70B-Instruct-FP8'); // 'Llama-3.1-70B-Instruct'
 */
export function bareCheckpointName(name: string): string {
  // A folder of the Hugging Face cache: models--OWNER--NAME/snapshots/HASH.
  const cached = /models--[^/]*?--([^/]+)/.exec(name)?.[1];
  const last = cached ?? name.replace(/\/+$/, '').split('/').at(-1) ?? name;
  return last.replace(
    /[-_.](nvfp4|mxfp4|fp4|fp8|int4|int8|bf16|fp16|awq|gptq|w\d+a\d+|\dbit|quantized)([-_.].*)?$/i,
    '',
  );
}
