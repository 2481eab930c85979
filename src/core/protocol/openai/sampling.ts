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
  return_tokens_as_token_ids: boolean,
  cache_salt: string,
  vllm_xargs: dictionary(anything),
  stream_interval: integer(),
} as const;

/** Shared by chat and completions, at their places in either list. */
export const stopField = union(string, list(string));

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
  if (temperature === 0 && n > 1) {
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
  const allowed = request.allowed_token_ids;
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

/** @throws {ApiError} 400 if there is a salt and it is empty or could leave a file name. */
export function checkCacheSalt(salt: string | null | undefined): void {
  if (salt == null) return;
  if (salt === '') {
    throw badRequest(
      "Parameter 'cache_salt' must be a non-empty string if provided.",
      'cache_salt',
    );
  }
}
