// Sampling parameters: what both generation routes read, and vLLM's checks on it.
import { badRequest } from './api-error.ts';
import { pythonFloat } from './python-repr.ts';
import {
  anything,
  boolean,
  dictionary,
  float,
  integer,
  list,
  type Read,
  string,
  union,
} from './schema.ts';

/** In the order in which vLLM's models declare them, which is that of the error report. */
export const samplingFields = {
  use_beam_search: boolean,
  repetition_penalty: float,
  min_p: float,
  top_k: integer(),
  stop_token_ids: list(integer()),
  include_stop_str_in_output: boolean,
  ignore_eos: boolean,
  min_tokens: integer(),
  skip_special_tokens: boolean,
  spaces_between_special_tokens: boolean,
  prompt_logprobs: integer(),
  allowed_token_ids: list(integer()),
  bad_words: list(string),
  structured_outputs: anything,
  priority: integer(),
  request_id: string,
  return_token_ids: boolean,
  return_prompt_text: boolean,
  return_tokens_as_token_ids: boolean,
  cache_salt: string,
  vllm_xargs: dictionary(anything),
  stream_interval: integer(1),
  truncate_prompt_tokens: integer(-1),
  mm_processor_kwargs: dictionary(anything),
} as const;

/** vLLM's VLLM_MAX_STOP_STRINGS. */
const stopStringsMax = 4;

/** Shared by chat and completions, at their places in either list. */
export const stopField = union(string, list(string, stopStringsMax));

/** What the checks read, from either route. */
export type SamplingRead = Read<typeof samplingFields> & {
  readonly n?: number | null | undefined;
  readonly temperature?: number | null | undefined;
  readonly top_p?: number | null | undefined;
  readonly presence_penalty?: number | null | undefined;
  readonly frequency_penalty?: number | null | undefined;
  readonly seed?: number | null | undefined;
  readonly stop?: string | readonly string[] | null | undefined;
  readonly logit_bias?: Readonly<Record<string, number>> | null | undefined;
};

/**
 * The checks of vLLM's SamplingParams, in its order.
 *
 * @param maxTokens Already clamped to the context.
 * @throws {ApiError} 400 with vLLM's sentence.
 */
export function checkSampling(
  request: SamplingRead,
  limits: { readonly maxTokens: number; readonly vocabularySize: number },
): void {
  const n = request.n ?? 1;
  if (n < 1) throw badRequest(`n must be at least 1, got ${n}.`);
  if (n > 16_384) throw badRequest(`n must be at most 16384, got ${n}.`);
  for (const name of ['presence_penalty', 'frequency_penalty'] as const) {
    const value = request[name];
    if (value != null && !(value >= -2 && value <= 2)) {
      throw badRequest(`${name} must be in [-2, 2], got ${pythonFloat(value)}.`);
    }
  }
  for (const name of ['temperature', 'top_p', 'min_p', 'repetition_penalty'] as const) {
    const value = request[name];
    if (value == null || Number.isFinite(value)) continue;
    const word = Number.isNaN(value) ? 'nan' : value > 0 ? 'inf' : '-inf';
    throw badRequest(`${name} must be a finite number, got ${word}.`, name, word);
  }
  const { repetition_penalty: repetition, temperature, top_p: topP, top_k: topK } = request;
  if (repetition != null && !(repetition > 0)) {
    throw badRequest(
      `repetition_penalty must be greater than zero, got ${pythonFloat(repetition)}.`,
    );
  }
  if (temperature != null && !(temperature >= 0 && temperature <= 2)) {
    const value = pythonFloat(temperature);
    throw badRequest(`temperature must be in [0, 2], got ${value}.`, 'temperature', value);
  }
  if (topP != null && !(topP > 0 && topP <= 1)) {
    const value = pythonFloat(topP);
    throw badRequest(`top_p must be in (0, 1], got ${value}.`, 'top_p', value);
  }
  if (topK != null && topK < -1) {
    throw badRequest(`top_k must be 0 (disable), or at least 1, got ${topK}.`);
  }
  const minP = request.min_p;
  if (minP != null && !(minP >= 0 && minP <= 1)) {
    throw badRequest(`min_p must be in [0, 1], got ${pythonFloat(minP)}.`);
  }
  const minTokens = request.min_tokens ?? 0;
  if (minTokens < 0) {
    throw badRequest(`min_tokens must be greater than or equal to 0, got ${minTokens}.`);
  }
  if (minTokens > limits.maxTokens) {
    throw badRequest(
      `min_tokens must be less than or equal to max_tokens=${limits.maxTokens}, got ${minTokens}.`,
    );
  }
  if (stopStrings(request.stop).includes('')) {
    throw badRequest('stop cannot contain an empty string.');
  }
  if (temperature === 0 && n > 1 && request.use_beam_search !== true) {
    throw badRequest(`n must be 1 when using greedy sampling, got ${n}.`);
  }
  const outside = Object.keys(request.logit_bias ?? {}).filter(
    (id) => !(Number(id) >= 0 && Number(id) < limits.vocabularySize),
  );
  if (outside.length > 0) {
    const ids = `[${outside.join(', ')}]`;
    throw badRequest(
      `token_id(s) ${ids} in logit_bias contain out-of-vocab token ids. Vocabulary size: ${limits.vocabularySize}`,
      'logit_bias',
      ids,
    );
  }
  const inside = (id: number) => id >= 0 && id < limits.vocabularySize;
  const stopIds = (request.stop_token_ids ?? []).filter((id) => !inside(id));
  if (stopIds.length > 0) {
    const ids = `[${stopIds.join(', ')}]`;
    throw badRequest(
      `token_id(s) ${ids} in stop_token_ids contain out-of-vocab token ids. Vocabulary size: ${limits.vocabularySize}`,
      'stop_token_ids',
      ids,
    );
  }
  if (request.bad_words?.includes('')) {
    throw badRequest("bad_words cannot contain an empty string. Got bad_words=['']");
  }
  const allowed = request.allowed_token_ids;
  if (allowed?.some((id) => !inside(id))) {
    const ids = `[${allowed.join(', ')}]`;
    throw badRequest('allowed_token_ids contains out-of-vocab token id!', 'allowed_token_ids', ids);
  }
  if (allowed != null && allowed.length === 0) {
    throw badRequest('allowed_token_ids is not None and empty!', 'allowed_token_ids', '[]');
  }
}

/** `stop` is one string or a list. */
export function stopStrings(
  stop: string | readonly string[] | null | undefined,
): readonly string[] {
  return stop == null ? [] : typeof stop === 'string' ? [stop] : stop;
}

/** As in vLLM, since a salt becomes part of file names. */
const cacheSaltLengthMax = 128;

/**
 * @param body A whole request body: vLLM looks at its salt before its schema.
 * @throws {ApiError} 400 if there is a salt and it is empty or could leave a file name.
 */
export function checkCacheSalt(body: unknown): void {
  const salt = (body as { readonly cache_salt?: unknown } | null | undefined)?.cache_salt;
  if (salt == null) return;
  if (typeof salt !== 'string' || salt === '') {
    throw badRequest(
      "Parameter 'cache_salt' must be a non-empty string if provided.",
      'cache_salt',
    );
  }
  if (salt.length > cacheSaltLengthMax || /[@/\\\0]/.test(salt)) {
    throw badRequest(
      `Parameter 'cache_salt' must be at most ${cacheSaltLengthMax} characters and must not contain '@', '/', '\\\\', or NUL.`,
      'cache_salt',
    );
  }
}

/** @throws {ApiError} 400 for what only a server that trusts its clients takes. */
export function checkTrusted(request: Pick<SamplingRead, 'mm_processor_kwargs'>): void {
  if (request.mm_processor_kwargs == null) return;
  throw badRequest(
    'Per-request mm_processor_kwargs are disabled by default because they can change multimodal preprocessing resource usage. Start the server with --trust-request-mm-kwargs only when clients are trusted.',
    'mm_processor_kwargs',
  );
}
