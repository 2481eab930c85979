// The body of POST /v1/completions.
import { badRequest } from './api-error.ts';
import {
  requestFieldsOfBoth,
  samplingFieldsOfBoth,
  stopField,
  streamIntervalField,
  streamOptionsField,
  thinkingBudgetField,
  transferFieldsOfBoth,
} from './generation-fields.ts';
import {
  checkCacheSalt,
  checkCompletionLogprobs,
  checkConstraintsRaw,
  checkPromptCount,
  checkPromptGiven,
  checkResponseFormatRaw,
  checkStreamOptions,
} from './raw-checks.ts';
import {
  anything,
  boolean,
  dictionary,
  float,
  integer,
  integer64,
  list,
  notNull,
  object,
  type Parser,
  type Read,
  readBody,
  string,
  union,
} from './schema.ts';
import { responseFormatField, structuredOutputsField } from './structured-outputs.ts';

/**
 * In the order in which vLLM tries them: token ids, batches of token ids, text, batches of text.
 */
const promptUnion = union(list(integer(0)), list(list(integer(0))), string, list(string));

/** Text stays text, even if it could be parsed as numbers. */
const promptField: typeof promptUnion = (value, loc, issues) => {
  const isTexts =
    Array.isArray(value) && value.length > 0 && value.every((one) => typeof one === 'string');
  return isTexts ? (value as string[]) : promptUnion(value, loc, issues);
};

const bytes: Parser<string> = (value, loc, issues) => {
  if (typeof value === 'string') return value;
  issues.push({ type: 'bytes_type', loc, msg: 'Input should be a valid bytes', input: value });
  return undefined;
};

/** In vLLM's order, which is the order of the error report. */
const completionFields = {
  model: string,
  prompt: promptField,
  echo: boolean,
  frequency_penalty: float,
  logit_bias: dictionary(float),
  logprobs: integer(),
  max_tokens: integer(),
  n: notNull(integer()),
  presence_penalty: float,
  seed: integer64,
  stop: stopField,
  stream: boolean,
  stream_options: streamOptionsField,
  suffix: string,
  temperature: float,
  top_p: float,
  user: string,
  ...samplingFieldsOfBoth,
  allowed_token_ids: list(integer()),
  prompt_logprobs: integer(),
  logprob_token_ids: list(integer()),
  bad_words: notNull(list(string)),
  prompt_embeds: union(bytes, list(bytes)),
  add_special_tokens: notNull(boolean),
  response_format: responseFormatField,
  structured_outputs: structuredOutputsField,
  ...requestFieldsOfBoth,
  ...transferFieldsOfBoth,
  thinking_token_budget: thinkingBudgetField,
  stream_interval: streamIntervalField,
  // Not fields of this model, but vLLM looks for them among its unknown fields.
  mm_processor_kwargs: anything,
  media_io_kwargs: anything,
} as const;

export type CompletionRequest = Read<typeof completionFields>;

/** One prompt: text to tokenize, or tokens. */
export type Prompt = string | readonly number[];

/** Parses the whole request: first the checks of the raw body, then the fields. */
export const completionRequestField: Parser<CompletionRequest> = (value, loc, issues) => {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    const fields = value as Readonly<Record<string, unknown>>;
    checkPromptCount(fields);
    checkPromptGiven(fields);
    checkStreamOptions(fields);
    checkCompletionLogprobs(fields);
    checkConstraintsRaw(fields, { param: 'structured_outputs' });
    checkResponseFormatRaw(fields);
    checkCacheSalt(fields);
  }
  return object(completionFields)(value, loc, issues);
};

/** @throws {ApiError} 400, from the checks of the raw body or else from the schema. */
export function readCompletionRequest(body: unknown): CompletionRequest {
  return readBody(body, completionRequestField);
}

/**
 * Returns the prompts of a request, one per group of choices.
 *
 * @throws {ApiError} 400 if the list is empty.
 */
export function promptsOf(prompt: NonNullable<CompletionRequest['prompt']>): readonly Prompt[] {
  if (typeof prompt === 'string') return [prompt];
  if (prompt.length === 0) throw badRequest('You must pass at least one prompt');
  return typeof prompt[0] === 'number' ? [prompt as readonly number[]] : (prompt as Prompt[]);
}
