// The fields that generation routes share, each with valid values, edge cases, and invalid values.
import type { Draw } from '../draw.ts';
import { responseFormats, structuredOutputs } from './constraints.ts';
import { anyJson } from './texts.ts';

/** Maps a field to its possible values; a function makes one. */
export type Fields = Readonly<Record<string, readonly unknown[]>>;

/** A token that no text here contains, so that responses do not stop on it by chance. */
const quietToken = 151_640;
/** One common token, `Hello`. */
const hello = 9707;

/** vLLM's sampling parameters, with the names that both generation routes use. */
export const samplingFields: Fields = {
  frequency_penalty: [0, 0.5, -2, 2, 2.1, -2.1, 'x'],
  presence_penalty: [0, 0.5, -2, 2, 2.1, -2.1, 'x'],
  repetition_penalty: [1, 1.1, 0.5, 0, -1, 1e9, 'x'],
  temperature: [0, 0.001, 0.7, 1, 2, 2.1, -0.1, -1, '0.5', 'hot', 1e300, true],
  top_p: [1, 0.9, 0.01, 0, 1.1, -0.5, '0.5', 'x'],
  top_k: [-1, 0, 1, 50, 1e6, -2, 1.5, '5', 'x', 2 ** 40],
  min_p: [0, 0.1, 1, 1.1, -0.1, 'x'],
  // Integers that JavaScript represents exactly: the digits of others would change.
  seed: [0, 1, -1, 42, 2 ** 53, 2 ** 64, 1e30, 1.5, 'x', '7'],
  n: [1, 1, 2, 3, 0, -1, 20_000, 1.5, '2', 'x', null],
  best_of: [1, 5, 'x', -1],
  max_tokens: [1, 2, 5, 0, -1, 8192, 8193, 100_000, '3', 'x', 1.5, null],
  min_tokens: [0, 1, 2, 4, -1, 100, 9000, 'x', null],
  stop: [
    ...['\u0001zz', ['\u0001zz'], ['\u0001a', '\u0002b'], [], '', [''], 5, [5], null],
    ['a', 'b', 'c', 'd', 'e'],
  ],
  stop_token_ids: [
    ...[[quietToken], [], [-1], [151_936], [151_935], [2 ** 31], ['x'], 5, null, [1.5], ['5']],
  ],
  include_stop_str_in_output: [true, false, 'x', 1],
  ignore_eos: [true, true, 'x', 0],
  skip_special_tokens: [true, false, 'x'],
  spaces_between_special_tokens: [true, false, 'x'],
  truncate_prompt_tokens: [1, 5, 100, 8192, 9000, 0, -1, -2, 'x', 1.5, null, 2 ** 64],
  truncation_side: ['left', 'right', 'middle', null, 5],
  allowed_token_ids: [[hello], [hello, 11], [], [-1], [151_936], [151_935], 'x', ['5']],
  bad_words: [['YES'], ['YES', 'NO NO'], [], [''], ['ok', ''], [' '], 'x', [5], null],
  logit_bias: [
    ...[{}, { 5: 1 }, { 5: -100, 6: 100 }, { 5: 1000 }, { '-1': 1 }, { 151936: 1 }, { x: 1 }],
    ...[{ 5: 'x' }, { '1.5': 1 }, { ' 7 ': 2 }, { 5: null }, [], 'x', null],
  ],
  prompt_logprobs: [0, 1, 3, -1, -2, 20, 21, 'x', '1', 1.5, null, true],
  logprob_token_ids: [[5], [5, 6], [], [-1], [151_936], 'x', null],
  priority: [0, 1, -5, 'x', null, 2 ** 64],
  request_id: ['mine-1', '', 5, null],
  session_id: ['s-1', '', 5],
  return_token_ids: [true, false, null, 'x'],
  return_tokens_as_token_ids: [true, false, null, 'x'],
  return_token_offsets: [true, 'x'],
  add_special_tokens: [true, false, 'x', null],
  cache_salt: [
    'x'.repeat(128),
    'x'.repeat(129),
    'ü'.repeat(128),
    'salt',
    '',
    'a/b',
    'a@b',
    'a\\b',
    'a\u0000b',
    5,
    null,
    [],
    { length: 1 },
  ],
  kv_transfer_params: [
    ...[null, {}, { x: 1 }, 5, { do_remote_decode: false }, { x: 2 ** 64 }],
    ...[[1, 2, 3], [], [-1], [151_936], [1.5], ['x'], 'x', null].map((prompt_token_ids) => ({
      prompt_token_ids,
    })),
  ],
  ec_transfer_params: [null, {}, { x: 1 }, 5, { x: 2 ** 64 }],
  vllm_xargs: [
    ...[null, {}, { a: 1 }, { a: 'x' }, { a: [1, 'x'] }, { a: {} }, { a: true }, 5],
    ...[{ a: 2 ** 64 }, { a: 1.5 }, { a: null }, { a: [[]] }, { kv_cache_report_mode: 'full' }],
  ],
  repetition_detection: [
    ...[null, {}, { max_pattern_size: 3, min_count: 50 }, { max_pattern_size: 3 }, 5],
    ...[{ max_pattern_size: -1 }, { min_pattern_size: 3, max_pattern_size: 1 }],
  ],
  thinking_token_budget: [null, -1, 5, -2, 1.5, 'x', true],
  stream_interval: [1, 2, 0, 100, 'x', null],
  watermarking: [true, false, null, 'x'],
  length_penalty: [1, 0.5, 'x', null],
  mm_processor_kwargs: [null, {}, { a: 1 }, 5],
  media_io_kwargs: [null, {}, { image: {} }, { image: 5 }, 5],
  return_mm_kwargs: [true, false, 'x'],
  mm_payload: ['none', 'tensors', 'x', null],
  routed_experts_prompt_start: [0, 1, -1, 'x', null],
  user: ['me', 5, null],
  use_beam_search: [true, true, false, 'x', null],
  response_format: responseFormats,
  structured_outputs: structuredOutputs,
  frobnicate: [1, null, {}],
  guided_json: [{ type: 'object' }],
  guided_decoding_backend: ['x', null, 5],
  early_stopping: [true, false, 'x', null],
  metadata: [null, {}, { a: 'x' }],
  store: [true, false],
  service_tier: ['auto', 'x'],
  modalities: [['text'], ['audio']],
  prediction: [{ type: 'content', content: 'x' }],
  web_search_options: [{}],
  functions: [[{ name: 'f' }]],
  function_call: ['auto', { name: 'f' }],
};

export const streamFields: Fields = {
  stream: [true, true, false, null, 'x', 1, 'true'],
  stream_options: [
    ...[null, {}, { include_usage: true }, { include_usage: false }, 5, 'x', []],
    ...[{ continuous_usage_stats: true }, { include_usage: true, continuous_usage_stats: true }],
    ...[{ include_usage: 'x' }, { include_usage: null }, { unknown: true }],
  ],
};

/** Maximum length of a response: one of the full length takes real vLLM minutes on a CPU. */
const answerTokensMax = 8;

/**
 * Keeps a response short if its length is absent, null, or valid but large.
 *
 * @param name The field that limits the response.
 * @param others Other fields that limit it equally well.
 */
export function shortened(
  request: Record<string, unknown>,
  name: string,
  others: readonly string[] = [],
): Record<string, unknown> {
  const isBounded = [name, ...others].some((one) => request[one] != null);
  const result = isBounded ? request : { ...request, [name]: 2 };
  const long = Object.entries(result).filter(
    ([key, value]) =>
      [name, ...others].includes(key) && Number(value) > answerTokensMax && Number(value) <= 8192,
  );
  return { ...result, ...Object.fromEntries(long.map(([key]) => [key, 4])) };
}

/**
 * Adds some of the fields to a request: mostly with a value of its table, sometimes with any JSON.
 *
 * @param most Maximum number of fields.
 */
export function addFields(
  draw: Draw,
  request: Record<string, unknown>,
  fields: Fields,
  most: number,
): Record<string, unknown> {
  const names = Object.keys(fields);
  const result = { ...request };
  for (let left = draw.integer(0, most); left > 0; left--) {
    const name = draw.pick(names);
    result[name] = draw.chance(0.1) ? draw.pick(anyJson) : draw.make(fields[name] ?? [null]);
  }
  if (draw.chance(0.03)) delete result[draw.pick(Object.keys(result))];
  return result;
}
