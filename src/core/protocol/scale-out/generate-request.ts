// The body of POST /inference/v1/generate: token ids in, token ids out.

import {
  repetitionField,
  streamOptionsField,
  thinkingBudgetField,
} from '../openai/generation-fields.ts';
import { checkCacheSalt } from '../openai/raw-checks.ts';
import { checkSamplingValues } from '../openai/sampling.ts';
import {
  anything,
  boolean,
  dictionary,
  float,
  type Issue,
  integer,
  integer64,
  list,
  literal,
  notNull,
  object,
  type Parser,
  type Read,
  readBody,
  schemaError,
  string,
  stringOf,
  union,
} from '../openai/schema.ts';
import { structuredOutputsField } from '../openai/structured-outputs.ts';

/** Keys are token ids. */
const biasField: Parser<Readonly<Record<string, number>>> = (value, loc, issues) => {
  const read = dictionary(float)(value, loc, issues);
  for (const key of Object.keys(read ?? {})) integer()(key, `${loc}.${key}.[key]`, issues);
  return read;
};

/** vLLM's SamplingParams, under its own names and in its order. */
const samplingParamsObject = object({
  n: notNull(integer()),
  presence_penalty: notNull(float),
  frequency_penalty: notNull(float),
  repetition_penalty: notNull(float),
  temperature: notNull(float),
  watermarking: boolean,
  top_p: notNull(float),
  top_k: notNull(integer()),
  min_p: notNull(float),
  seed: integer(),
  stop: union(string, list(notNull(string))),
  stop_token_ids: list(notNull(integer())),
  ignore_eos: notNull(boolean),
  max_tokens: integer(),
  min_tokens: notNull(integer()),
  logprobs: integer(),
  prompt_logprobs: integer(),
  prompt_logprob_start: integer(),
  logprob_token_ids: list(notNull(integer())),
  flat_logprobs: notNull(boolean),
  detokenize: notNull(boolean),
  skip_special_tokens: notNull(boolean),
  spaces_between_special_tokens: notNull(boolean),
  include_stop_str_in_output: notNull(boolean),
  stream_interval: integer(),
  skip_clone: notNull(boolean),
  structured_outputs: structuredOutputsField,
  logit_bias: biasField,
  allowed_token_ids: list(notNull(integer())),
  extra_args: dictionary(anything),
  bad_words: list(notNull(string)),
  skip_reading_prefix_cache: boolean,
  thinking_token_budget: integer(),
  repetition_detection: repetitionField,
  routed_experts_prompt_start: notNull(integer()),
});

/** Pydantic first says that a dictionary is no SamplingParams, then what is wrong within. */
const samplingParamsField: typeof samplingParamsObject = (value, loc, issues) => {
  const own: Issue[] = [];
  const read = samplingParamsObject(value, loc, own);
  if (read !== undefined && own.length === 0) {
    checkOwnValues(read);
    return read;
  }
  const msg = 'Input should be an instance of SamplingParams';
  const ctx = "{'class': 'SamplingParams'}";
  issues.push({ type: 'is_instance_of', loc, msg, input: value, ctx }, ...own);
  return undefined;
};

/** Hashes and places of what is no text. */
const featuresField = object(
  {
    mm_hashes: notNull(dictionary(anything)),
    mm_placeholders: notNull(dictionary(anything)),
    kwargs_data: dictionary(anything),
    mm_metadata: dictionary(anything),
  },
  ['mm_hashes', 'mm_placeholders'],
);

/** What SamplingParams itself refuses, at once: before the fields after it are read. */
function checkOwnValues(sampling: NonNullable<ReturnType<typeof samplingParamsObject>>): void {
  const { thinking_token_budget: budget, max_tokens: maxTokens = maxTokensDefault } = sampling;
  if (budget != null) thinkingBudgetField(budget, '', []);
  checkSamplingValues({ ...sampling, logit_bias: null }, maxTokens ?? Number.POSITIVE_INFINITY);
}

/** vLLM's, of SamplingParams. */
const maxTokensDefault = 16;

const generateFields = {
  request_id: notNull(string),
  token_ids: notNull(list(notNull(integer()))),
  features: featuresField,
  content_parts: list(dictionary(anything)),
  sampling_params: notNull(samplingParamsField),
  model: string,
  return_token_ids: boolean,
  output_mode: notNull(literal('tokens', 'text')),
  stream: boolean,
  stream_options: streamOptionsField,
  cache_salt: stringOf(1),
  priority: notNull(integer64),
  kv_transfer_params: dictionary(anything),
} as const;

export type GenerateRequest = Read<typeof generateFields>;

/** @throws {ApiError} 400, as Pydantic under vLLM reports it. */
export function readGenerateRequest(body: unknown): GenerateRequest {
  checkCacheSalt(body);
  checkTokens(body);
  const request = readBody(body, generateFields, ['token_ids', 'sampling_params']);
  if (request.stream_options != null && request.stream !== true) return request;
  if (request.output_mode === 'text' && request.sampling_params?.detokenize === false) {
    const text = "output_mode='text' requires sampling_params.detokenize to be true";
    const ctx = `{'error': ValueError("${text}")}`;
    throw schemaError([
      { type: 'value_error', loc: 'body', msg: `Value error, ${text}`, input: body, ctx },
    ]);
  }
  return request;
}

/** Before the fields behind it: Pydantic goes by their order, and checks a field's own rules with it. */
function checkTokens(body: unknown): void {
  const tokens: unknown = (Object(body) as { token_ids?: unknown }).token_ids;
  if (!Array.isArray(tokens) || !tokens.every((token) => Number.isInteger(token))) return;
  const loc = 'body.token_ids';
  if (tokens.length === 0) {
    const msg = 'List should have at least 1 item after validation, not 0';
    const ctx = "{'field_type': 'List', 'min_length': 1, 'actual_length': 0}";
    throw schemaError([{ type: 'too_short', loc, msg, input: tokens, ctx }]);
  }
  if (tokens.some((token) => token < 0)) {
    const text = 'token_ids must not contain negative values';
    const ctx = `{'error': ValueError('${text}')}`;
    throw schemaError([
      { type: 'value_error', loc, msg: `Value error, ${text}`, input: tokens, ctx },
    ]);
  }
}
