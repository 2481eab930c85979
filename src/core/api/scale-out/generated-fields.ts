// The response of /inference/v1/generate as derender reads it: whole, or a chunk of a stream.
import {
  after,
  anything,
  dictionary,
  float,
  integer,
  list,
  literal,
  notNull,
  nullable,
  object,
  type Parser,
  string,
  union,
} from '../openai/schema.ts';
import { negativeFault } from './generate-request.ts';
import { placeholdersField } from './media-places.ts';

/** Log probability of a token or of an alternative. */
const logprobFields = {
  token_id: notNull(integer()),
  logprob: notNull(float),
  rank: integer(),
} as const;
const logprobField = object(logprobFields, ['token_id', 'logprob']);

const logprobsField = object({
  content: list(
    object({ ...logprobFields, top_logprobs: notNull(list(logprobField)) }, [
      'token_id',
      'logprob',
    ]),
  ),
});

const spanField = object(
  { version: notNull(string), start: notNull(integer()), end: notNull(integer()) },
  ['version', 'start', 'end'],
);

function choiceField(tokens: Parser<readonly number[]>) {
  return object(
    {
      index: notNull(integer()),
      finish_reason: string,
      stop_reason: union(integer(), string),
      token_ids: tokens,
      routed_experts: string,
      sampling_mask: list(list(integer())),
      weight_versions: list(spanField),
      logprobs: logprobsField,
    },
    ['index'],
  );
}

const usageField = object({
  prompt_tokens: notNull(integer()),
  total_tokens: notNull(integer()),
  completion_tokens: integer(),
  prompt_tokens_details: object({
    cached_tokens: integer(),
    created_cache_tokens: integer(),
    multimodal_tokens: dictionary(integer()),
  }),
  completion_tokens_details: object({ reasoning_tokens: notNull(integer()) }),
});

const metricsField = object({
  time_to_first_token_ms: float,
  generation_time_ms: float,
  queue_time_ms: float,
  mean_itl_ms: float,
  tokens_per_second: float,
  speculative_decoding: anything,
});

export const tokenIdsField = list(integer(0));

const promptLogprobField = object(
  { logprob: notNull(float), rank: integer(), decoded_token: string },
  ['logprob'],
);

/** A whole response, tokens only. */
export const generatedResponseField = object(
  {
    request_id: notNull(string),
    model: string,
    created: integer(),
    usage: usageField,
    prompt_logprobs: list(nullable(dictionary(promptLogprobField))),
    prompt_token_id_logprobs: string,
    prompt_token_ids: tokenIdsField,
    mm_placeholders: placeholdersField,
    metrics: metricsField,
    kv_transfer_params: dictionary(anything),
    ec_transfer_params: dictionary(anything),
    output_mode: notNull(literal('tokens')),
    choices: notNull(list(choiceField(after(list(integer()), negativeFault)))),
  },
  ['choices'],
);

/** A chunk of a stream, tokens only. */
export const generatedChunkField = object(
  {
    request_id: notNull(string),
    usage: usageField,
    prompt_token_ids: tokenIdsField,
    mm_placeholders: placeholdersField,
    metrics: metricsField,
    output_mode: notNull(literal('tokens')),
    choices: notNull(list(choiceField(list(integer())))),
  },
  ['choices'],
);

type Parsed<P> = P extends Parser<infer T> ? T : never;
export type GenerateResponse = Parsed<typeof generatedResponseField>;
export type DerenderChunk = Parsed<typeof generatedChunkField>;
