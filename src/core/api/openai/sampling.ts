// Sampling parameters: the fields of both generation routes, and vLLM's checks of them.
import { badRequest } from './api-error.ts';
import { pythonFloat, pythonValue } from './python-repr.ts';
import {
  anything,
  boolean,
  dictionary,
  float,
  integer,
  list,
  type Read,
  string,
} from './schema.ts';

/** In the order in which vLLM's models declare them, which is the order of the error report. */
const samplingFields = {
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
  session_id: string,
  return_token_ids: boolean,
  return_prompt_text: boolean,
  return_tokens_as_token_ids: boolean,
  cache_salt: string,
  kv_transfer_params: dictionary(anything),
  ec_transfer_params: dictionary(anything),
  vllm_xargs: dictionary(anything),
  stream_interval: integer(1),
  truncate_prompt_tokens: integer(-1),
  mm_processor_kwargs: dictionary(anything),
} as const;

/** The fields that the checks read, from either route. */
export type SamplingRead = Omit<Read<typeof samplingFields>, 'mm_processor_kwargs'> & {
  readonly mm_processor_kwargs?: unknown;
  readonly n?: number | null | undefined;
  /** For a chat request, whether there are any. */
  readonly logprobs?: number | boolean | null | undefined;
  readonly temperature?: number | null | undefined;
  readonly top_p?: number | null | undefined;
  readonly presence_penalty?: number | null | undefined;
  readonly frequency_penalty?: number | null | undefined;
  readonly seed?: number | null | undefined;
  readonly stop?: string | readonly string[] | null | undefined;
  readonly logit_bias?: Readonly<Record<string, number>> | null | undefined;
  /** A field of SamplingParams itself; other requests derive it from other fields. */
  readonly extra_args?: Readonly<Record<string, unknown>> | null | undefined;
};

/** Checks that need only the parameters: vLLM makes them before it responds. */
export function checkSamplingValues(request: SamplingRead, maxTokens: number): void {
  checkBiasKeys(request.logit_bias);
  checkChoices(request.n ?? 1, 'n');
  checkExtraArgs(request);
  for (const name of ['presence_penalty', 'frequency_penalty'] as const) {
    const value = request[name];
    if (value != null && !(value >= -2 && value <= 2)) {
      throw badRequest(`${name} must be in [-2, 2], got ${pythonFloat(value)}.`);
    }
  }
  const { repetition_penalty: repetition, temperature, top_p: topP, top_k: topK } = request;
  if (repetition != null && !Number.isFinite(repetition)) {
    throw badRequest(`repetition_penalty must be a finite number, got ${pythonFloat(repetition)}.`);
  }
  if (repetition != null && repetition <= 0) {
    throw badRequest(
      `repetition_penalty must be greater than zero, got ${pythonFloat(repetition)}.`,
    );
  }
  if (temperature != null && !(temperature >= 0 && temperature <= 2)) {
    const value = pythonFloat(temperature);
    const words = !Number.isFinite(temperature)
      ? 'must be a finite number'
      : temperature < 0
        ? 'must be non-negative'
        : 'must be in [0, 2]';
    throw badRequest(`temperature ${words}, got ${value}.`, 'temperature', value);
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
  if (maxTokens < 1) {
    throw badRequest(
      `max_tokens must be at least 1, got ${maxTokens}.`,
      'max_tokens',
      `${maxTokens}`,
    );
  }
  const minTokens = request.min_tokens ?? 0;
  if (minTokens < 0) {
    throw badRequest(`min_tokens must be greater than or equal to 0, got ${minTokens}.`);
  }
  if (minTokens > maxTokens) {
    throw badRequest(
      `min_tokens must be less than or equal to max_tokens=${maxTokens}, got ${minTokens}.`,
    );
  }
  checkCounts(request);
  if (stopStrings(request.stop).includes('')) {
    throw badRequest('stop cannot contain an empty string.');
  }
  if (request.bad_words?.includes('')) {
    const words = [...new Set(request.bad_words)];
    throw badRequest(
      `bad_words cannot contain an empty string. Got bad_words=${pythonValue(words)}`,
    );
  }
  if (temperature === 0 && (request.n ?? 1) > 1) {
    throw badRequest(`n must be 1 when using greedy sampling, got ${request.n}.`);
  }
}

function checkCounts(request: SamplingRead): void {
  const { stream_interval: interval } = request;
  if (interval != null && interval < 1) {
    const text = `stream_interval must be at least 1, got ${interval}.`;
    throw badRequest(text, 'stream_interval', `${interval}`);
  }
  for (const name of ['logprobs', 'prompt_logprobs'] as const) {
    const value = request[name];
    if (typeof value !== 'number' || value >= -1) continue;
    throw badRequest(`${name} must be non-negative or -1, got ${value}.`, name, `${value}`);
  }
}

/** Refuses what the engine's transport cannot carry. */
function checkExtraArgs(request: SamplingRead): void {
  const { extra_args: own, vllm_xargs: extra, kv_transfer_params: kv } = request;
  if (!hasHugeInteger([own, extra, kv, request.ec_transfer_params])) return;
  throw badRequest('extra_args integers must be between -2**63 and 2**64 - 1.', 'extra_args');
}

/** From here on JavaScript writes an exponent, which makes a number a float in Python. */
const floatsFrom = 1e21;

/** Returns whether the value contains an integer that does not fit into 64 bits. */
export function hasHugeInteger(value: unknown): boolean {
  if (typeof value === 'number') {
    const isInteger = Number.isInteger(value) && Math.abs(value) < floatsFrom;
    return isInteger && (value < -(2 ** 63) || value >= 2 ** 64);
  }
  if (typeof value !== 'object' || value === null) return false;
  return Object.values(value).some(hasHugeInteger);
}

/** vLLM's VLLM_MAX_N_SEQUENCES. */
const choicesMax = 16_384;

/** @param name `n`, or its name in beam search. */
export function checkChoices(n: number, name: 'n' | 'beam_width'): void {
  if (n < 1) throw badRequest(`${name} must be at least 1, got ${n}.`);
  if (n > choicesMax) {
    throw badRequest(
      `${name} must be at most ${choicesMax}, got ${n}. To increase this limit, set the VLLM_MAX_N_SEQUENCES environment variable.`,
    );
  }
}

/** Text that Python's int() accepts. */
const pythonInteger = /^\s*[+-]?\d+(_\d+)*\s*$/;

function checkBiasKeys(bias: SamplingRead['logit_bias']): void {
  const wrong = Object.keys(bias ?? {}).filter((key) => !pythonInteger.test(key));
  if (wrong.length === 0) return;
  const keys = shownValues(wrong);
  throw badRequest(
    `logit_bias contains key(s) that cannot be converted to integer token IDs: ${keys}`,
    'logit_bias',
    keys,
  );
}

/** Checks tokens with a bias. In vLLM the engine checks them, after a stream has started. */
export function checkBiasedTokens(
  { logit_bias: bias }: SamplingRead,
  vocabularySize: number,
): void {
  const ids = Object.keys(bias ?? {}).map((key) => Number(key.replaceAll('_', '')));
  checkVocabulary('logit_bias', ids, vocabularySize);
}

/** Checks tokens that stop a response, and those that it may contain. */
export function checkStopTokens(request: SamplingRead, vocabularySize: number): void {
  const { stop_token_ids: stops, allowed_token_ids: allowed } = request;
  checkVocabulary('stop_token_ids', [...new Set(stops ?? [])], vocabularySize);
  if (allowed == null) return;
  if (allowed.length === 0) {
    throw badRequest('allowed_token_ids is not None and empty!', 'allowed_token_ids', '[]');
  }
  const wrong = outside(allowed, vocabularySize);
  if (wrong.length === 0) return;
  throw badRequest(
    'allowed_token_ids contains out-of-vocab token id!',
    'allowed_token_ids',
    shownValues(wrong),
  );
}

/** @throws {ApiError} 400 if one of the ids is not a token of the model. */
export function checkVocabulary(
  name: string,
  ids: readonly number[],
  vocabularySize: number,
): void {
  const wrong = outside(ids, vocabularySize);
  if (wrong.length === 0) return;
  const shown = shownValues(wrong);
  throw badRequest(
    `token_id(s) ${shown} in ${name} contain out-of-vocab token ids. Vocabulary size: ${vocabularySize}`,
    name,
    shown,
  );
}

/** Most values of a list that a message repeats; vLLM repeats all of them, at the cost of megabytes. */
const shownMax = 1000;

function shownValues(values: readonly (string | number)[]): string {
  if (values.length <= shownMax) return pythonValue(values);
  return pythonValue(values.slice(0, shownMax)).replace(/]$/, ', ...]');
}

function outside(ids: readonly number[], vocabularySize: number): number[] {
  return ids.filter((id) => !(id >= 0 && id < vocabularySize));
}

/** `stop` is one string or a list. */
export function stopStrings(
  stop: string | readonly string[] | null | undefined,
): readonly string[] {
  return stop == null ? [] : typeof stop === 'string' ? [stop] : stop;
}
