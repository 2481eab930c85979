// The body of POST /inference/v1/generate: token ids in, token ids out.

import { stopField, streamOptionsField } from '../openai/generation-fields.ts';
import { checkCacheSalt } from '../openai/raw-checks.ts';
import { samplingFields } from '../openai/sampling.ts';
import {
  anything,
  boolean,
  dictionary,
  float,
  type Issue,
  integer,
  list,
  literal,
  object,
  type Read,
  readBody,
  schemaError,
  string,
  stringOf,
} from '../openai/schema.ts';

/** vLLM's SamplingParams, under its own names. */
const samplingParamsObject = object({
  n: integer(),
  presence_penalty: float,
  frequency_penalty: float,
  temperature: float,
  top_p: float,
  seed: integer(),
  stop: stopField,
  max_tokens: integer(),
  logprobs: integer(),
  detokenize: boolean,
  logit_bias: dictionary(float),
  ...samplingFields,
});

/** Pydantic first says that a dictionary is no SamplingParams, then what is wrong within. */
const samplingParamsField: typeof samplingParamsObject = (value, loc, issues) => {
  const own: Issue[] = [];
  const read = samplingParamsObject(value, loc, own);
  if (own.length === 0) return read;
  const msg = 'Input should be an instance of SamplingParams';
  const ctx = "{'class': 'SamplingParams'}";
  issues.push({ type: 'is_instance_of', loc, msg, input: value, ctx }, ...own);
  return undefined;
};

const generateFields = {
  request_id: string,
  token_ids: list(integer()),
  features: dictionary(anything),
  content_parts: list(dictionary(anything)),
  sampling_params: samplingParamsField,
  model: string,
  return_token_ids: boolean,
  output_mode: literal('tokens', 'text'),
  stream: boolean,
  stream_options: streamOptionsField,
  cache_salt: stringOf(1),
  priority: integer(),
  kv_transfer_params: dictionary(anything),
} as const;

export type GenerateRequest = Read<typeof generateFields>;

/** @throws {ApiError} 400, as Pydantic under vLLM reports it. */
export function readGenerateRequest(body: unknown): GenerateRequest {
  checkCacheSalt(body);
  const request = readBody(body, generateFields, ['token_ids', 'sampling_params']);
  const tokens = request.token_ids ?? [];
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
