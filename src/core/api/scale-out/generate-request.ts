// The body of POST /inference/v1/generate: token ids in, token ids out.

import { badRequest } from '../openai/api-error.ts';
import {
  repetitionField,
  streamOptionsField,
  thinkingBudgetField,
} from '../openai/generation-fields.ts';
import { checkCacheSalt } from '../openai/raw-checks.ts';
import { checkSamplingValues, stopStrings } from '../openai/sampling.ts';
import {
  after,
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
  strictInteger,
  string,
  stringOf,
  union,
} from '../openai/schema.ts';
import { structuredOutputsField } from '../openai/structured-outputs.ts';
import { mediaPlacesField } from './media-places.ts';

/** The keys are token ids. */
const biasField: Parser<Readonly<Record<string, number>>> = (value, loc, issues) => {
  const read = dictionary(float)(value, loc, issues);
  for (const key of Object.keys(read ?? {})) integer()(key, `${loc}.${key}.[key]`, issues);
  return read;
};

/** vLLM's RequestOutputKind; the server chooses its own. */
const outputKindField: Parser<number> = (value, loc, issues) => {
  if (value === 0 || value === 1 || value === 2) return value;
  const expected = '0, 1 or 2';
  const ctx = `{'expected': '${expected}'}`;
  issues.push({ type: 'enum', loc, msg: `Input should be ${expected}`, input: value, ctx });
  return undefined;
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
  prompt_logprob_token_ids: list(list(strictInteger)),
  prompt_logprob_start: integer(),
  logprob_token_ids: list(notNull(integer())),
  flat_logprobs: notNull(boolean),
  detokenize: notNull(boolean),
  skip_special_tokens: notNull(boolean),
  spaces_between_special_tokens: notNull(boolean),
  include_stop_str_in_output: notNull(boolean),
  output_kind: notNull(outputKindField),
  stream_interval: integer(),
  skip_clone: notNull(boolean),
  output_text_buffer_length: notNull(integer()),
  structured_outputs: structuredOutputsField,
  logit_bias: biasField,
  allowed_token_ids: list(notNull(integer())),
  extra_args: dictionary(anything),
  bad_words: list(notNull(string)),
  skip_reading_prefix_cache: boolean,
  thinking_token_budget: integer(),
  repetition_detection: repetitionField,
  routed_experts_prompt_start: notNull(integer()),
  trace_decode_token_ids: list(notNull(integer())),
});

/**
 * Pydantic first reports that a dictionary is not a SamplingParams, then the issues of its fields.
 */
const samplingParamsField: typeof samplingParamsObject = (value, loc, issues) => {
  const own: Issue[] = [];
  const read = samplingParamsObject(value, loc, own);
  if (read !== undefined && own.length === 0) {
    checkOwnValues(read);
    // No limit counts as unset.
    return read.thinking_token_budget === -1 ? { ...read, thinking_token_budget: null } : read;
  }
  const msg = 'Input should be an instance of SamplingParams';
  const ctx = "{'class': 'SamplingParams'}";
  const notAny = own.map((issue) =>
    issue.type === 'model_attributes_type'
      ? { ...issue, type: 'dict_type', msg: 'Input should be a valid dictionary' }
      : issue,
  );
  issues.push({ type: 'is_instance_of', loc, msg, input: value, ctx }, ...notAny);
  return undefined;
};

/** Checks that SamplingParams itself makes at once, before later fields are read. */
function checkOwnValues(sampling: NonNullable<ReturnType<typeof samplingParamsObject>>): void {
  const { thinking_token_budget: budget, max_tokens: maxTokens = maxTokensDefault } = sampling;
  if (budget != null) thinkingBudgetField(budget, '', []);
  checkSamplingValues({ ...sampling, logit_bias: null }, maxTokens ?? Number.POSITIVE_INFINITY);
  if (sampling.detokenize === false && stopStrings(sampling.stop).length > 0) {
    throw badRequest(
      'stop strings are only supported when detokenize is True. Set detokenize=True to use stop.',
    );
  }
}

/** vLLM's default of SamplingParams. */
const maxTokensDefault = 16;

/** Start and end of a token in its text. */
const offsetField: Parser<readonly number[]> = (value, loc, issues) => {
  if (!Array.isArray(value)) {
    issues.push({ type: 'tuple_type', loc, msg: 'Input should be a valid tuple', input: value });
    return undefined;
  }
  for (let i = value.length; i < 2; i++) {
    issues.push({ type: 'missing', loc: `${loc}.${i}`, msg: 'Field required', input: value });
  }
  if (value.length > 2) {
    const msg = `Tuple should have at most 2 items after validation, not ${value.length}`;
    const ctx = `{'field_type': 'Tuple', 'max_length': 2, 'actual_length': ${value.length}}`;
    issues.push({ type: 'too_long', loc, msg, input: value, ctx });
  }
  return value.slice(0, 2).map((one, i) => integer()(one, `${loc}.${i}`, issues) as number);
};

/** Results of the render route for the engine's reasoning parser; other keys are refused. */
const reasoningKwargsField: Parser<unknown> = (value, loc, issues) => {
  const read = object({ chat_template_kwargs: notNull(dictionary(anything)) })(value, loc, issues);
  if (read === undefined) return undefined;
  for (const name of Object.keys(value as object)) {
    if (name === 'chat_template_kwargs') continue;
    const msg = 'Extra inputs are not permitted';
    const input = (value as Readonly<Record<string, unknown>>)[name];
    issues.push({ type: 'extra_forbidden', loc: `${loc}.${name}`, msg, input });
  }
  return read;
};

/** Token ids are never negative, in requests and in responses. */
export function negativeFault(tokens: readonly number[] | null | undefined): string | undefined {
  const isNegative = tokens?.some((token) => token < 0) === true;
  return isNegative ? 'token_ids must not contain negative values' : undefined;
}

const generateFields = {
  request_id: notNull(string),
  token_ids: after(notNull(list(notNull(integer()), { least: 1 })), negativeFault),
  token_offsets: list(notNull(offsetField)),
  features: mediaPlacesField,
  content_parts: list(dictionary(anything)),
  sampling_params: notNull(samplingParamsField),
  model: string,
  reasoning_ended: boolean,
  reasoning_parser_kwargs: reasoningKwargsField,
  return_token_ids: boolean,
  output_mode: notNull(literal('tokens', 'text')),
  stream: boolean,
  stream_options: streamOptionsField,
  cache_salt: stringOf(1, 1024),
  priority: notNull(integer64),
  kv_transfer_params: dictionary(anything),
  ec_transfer_params: dictionary(anything),
} as const;

export type GenerateRequest = Read<typeof generateFields>;

/** Checks that vLLM's model makes after its fields are read, in its order. */
const modelChecks: readonly ((request: GenerateRequest) => string | undefined)[] = [
  ({ content_parts: parts, features }) =>
    parts?.length && features ? 'content_parts and features are mutually exclusive' : undefined,
  ({ features, ec_transfer_params: encoder }) =>
    features?.hasMetadataAlone && !Object.keys(encoder ?? {}).length
      ? 'metadata-only multimodal items require ec_transfer_params'
      : undefined,
  ({ output_mode: mode, sampling_params: sampling }) =>
    mode === 'text' && sampling?.detokenize === false
      ? "output_mode='text' requires sampling_params.detokenize to be true"
      : undefined,
  ({ features, token_ids: tokens }) =>
    features && features.end > (tokens?.length ?? 0)
      ? 'mm_placeholders must remain within the token_ids sequence'
      : undefined,
];

const generateObject = modelChecks.reduce<Parser<GenerateRequest>>(
  after,
  object(generateFields, ['token_ids', 'sampling_params']),
);

/** @throws {ApiError} 400, as Pydantic in vLLM reports it. */
export function readGenerateRequest(body: unknown): GenerateRequest {
  checkCacheSalt(body);
  return readBody(body, generateObject);
}
