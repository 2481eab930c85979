// Sizes of an engine's number formats, by their names in vLLM's flags.
import { InputError } from '../base/index.ts';

/**
 * Values of vLLM's `--dtype`, and the bytes of one value; `auto` uses the type of the checkpoint.
 */
const bytesByDtype: ReadonlyMap<string, number | undefined> = new Map([
  ['auto', undefined],
  ...(['half', 'float16', 'bfloat16'] as const).map((name) => [name, 2] as const),
  ...(['float', 'float32'] as const).map((name) => [name, 4] as const),
]);

/**
 * Additional values of vLLM's `--kv-cache-dtype`, sized by the bits in their names; scales stored
 * with the values are included only where they are known. `fp8_ds_mla` takes 656 bytes for the 576
 * values of DeepSeek's compressed vector, nvfp4 a byte of scale for 16 values.
 */
const bytesByKvDtype: ReadonlyMap<string, number> = new Map([
  ...(['fp8', 'fp8_e4m3', 'fp8_e5m2', 'fp8_inc', 'fp8_per_token_head'] as const).map(
    (name) => [name, 1] as const,
  ),
  ['int8_per_token_head', 1],
  ['fp8_ds_mla', 656 / 576],
  ...(['nvfp4', 'nvfp4_4over6', 'nvfp4_ds_mla'] as const).map((name) => [name, 0.5625] as const),
  ['int4_per_token_head', 0.5],
  ['ultraquant_4bit', 0.5],
  ['turboquant_k8v4', 0.75],
  ['turboquant_4bit_nc', 0.5],
  ['turboquant_k3v4_nc', 0.4375],
  ['turboquant_3bit_nc', 0.375],
]);

/**
 * Returns the bytes of one weight, activation and KV value for vLLM's `--dtype`.
 *
 * @param dtype With or without the prefix `torch.`.
 * @returns Undefined for `auto`, and without a value.
 * @throws {InputError} If vLLM does not know it.
 * @example bytesOfDtype('float32'); // 4
 */
export function bytesOfDtype(dtype = 'auto'): number | undefined {
  const name = dtype.replace('torch.', '');
  if (bytesByDtype.has(name)) return bytesByDtype.get(name);
  const known = [...bytesByDtype.keys()].join(', ');
  throw new InputError(`dtype "${dtype}" is not one of vLLM's; use one of ${known}.`);
}

/**
 * Returns the bytes of one KV value for vLLM's `--kv-cache-dtype`.
 *
 * @returns Undefined for `auto`, which is the type of the model, and without a value.
 * @throws {InputError} If the engine model does not know it.
 * @example bytesOfKvDtype('fp8_e4m3'); // 1
 */
export function bytesOfKvDtype(dtype = 'auto'): number | undefined {
  const name = dtype.replace('torch.', '');
  if (bytesByDtype.has(name)) return bytesByDtype.get(name);
  const bytes = bytesByKvDtype.get(name);
  if (bytes !== undefined) return bytes;
  const known = [...bytesByDtype.keys(), ...bytesByKvDtype.keys()].join(', ');
  throw new InputError(`kv_cache_dtype: "${dtype}" is not modelled; modelled are ${known}.`);
}
