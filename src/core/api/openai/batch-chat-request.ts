// The body of POST /v1/chat/completions/batch: several conversations with one set of parameters.

import { checkTagFormat, checkTagText } from '../grammar/structural-tag.ts';
import { badRequest } from './api-error.ts';
import type { ChatMessage } from './chat-message.ts';
import { messageField } from './chat-message.ts';
import { type ChatRequest, chatRequestOfFields } from './chat-request.ts';
import { stopField, topLogprobsField } from './generation-fields.ts';
import { isTruthy, pythonText } from './python-repr.ts';
import {
  anything,
  boolean,
  dictionary,
  float,
  integer,
  integer64,
  list,
  literal,
  notNull,
  readBody,
  string,
} from './schema.ts';
import { structuredOutputsField } from './structured-outputs.ts';

/** Conversations that have not been parsed yet: each becomes a separate chat request. */
export interface BatchChatRequest {
  /** Accepted without effect: vLLM responds with the last piece of each choice. */
  readonly isStream: boolean;
  readonly model: string | null | undefined;
  readonly chat_template: string | null | undefined;
  readonly chat_template_kwargs: Readonly<Record<string, unknown>> | null | undefined;
  readonly conversations: readonly (readonly ChatMessage[])[];
  /** @throws {ApiError} 400 for a field that a chat request refuses. */
  readonly chatRequest: (conversation: readonly ChatMessage[]) => ChatRequest;
}

type Body = Readonly<Record<string, unknown>>;

/** In vLLM's order, which is the order of the error report. */
const batchFields = {
  messages: notNull(list(list(messageField, { least: 1 }), { least: 1 })),
  model: string,
  frequency_penalty: float,
  logit_bias: dictionary(float),
  logprobs: boolean,
  top_logprobs: topLogprobsField,
  logprob_token_ids: list(integer()),
  max_tokens: integer(),
  max_completion_tokens: integer(),
  n: integer(),
  presence_penalty: float,
  response_format: anything,
  seed: integer64,
  stop: stopField,
  temperature: float,
  top_p: float,
  user: string,
  tool_choice: literal('none'),
  include_reasoning: notNull(boolean),
  best_of: integer(),
  use_beam_search: notNull(boolean),
  top_k: integer(),
  min_p: float,
  repetition_penalty: float,
  watermarking: boolean,
  length_penalty: float,
  early_stopping: notNull(boolean),
  structured_outputs: structuredOutputsField,
  request_id: string,
  add_generation_prompt: notNull(boolean),
  continue_final_message: notNull(boolean),
  chat_template: string,
  chat_template_kwargs: dictionary(anything),
  media_io_kwargs: dictionary(dictionary(anything)),
  mm_processor_kwargs: dictionary(anything),
  priority: notNull(integer64),
  cache_salt: string,
  include_stop_str_in_output: notNull(boolean),
  guided_decoding_backend: string,
  echo: notNull(boolean),
  return_tokens_as_token_ids: boolean,
  return_token_ids: notNull(boolean),
} as const;

/** @throws {ApiError} 400, also for what a batch does not support: beam search, several choices. */
export function readBatchChatRequest(body: unknown): BatchChatRequest {
  const isObject = typeof body === 'object' && body !== null && !Array.isArray(body);
  if (isObject) checkBatch(body as Body);
  const read = readBody(body, batchFields, ['messages']);
  const given = body as Body;
  // Fields that a batch does not define are passed on unchanged; null counts as unset.
  const { messages: _messages, ...handedOn }: Record<string, unknown> = { ...given, ...read };
  const fields = Object.fromEntries(
    Object.entries({ ...handedOn, tool_choice: 'none' }).filter(([, value]) => value != null),
  );
  return {
    model: read.model,
    isStream: boolean(given['stream'], 'stream', []) === true,
    chat_template: read.chat_template,
    chat_template_kwargs: read.chat_template_kwargs,
    conversations: (read.messages ?? []) as readonly (readonly ChatMessage[])[],
    // A batch is never streamed, and its templates see no tools, but both are still checked.
    chatRequest: (messages) => {
      const {
        stream: _stream,
        tools: _tools,
        ...rest
      } = chatRequestOfFields({
        ...fields,
        messages,
      });
      return rest;
    },
  };
}

function checkBatch(body: Body): void {
  if (isTruthy(body['use_beam_search'])) {
    throw badRequest(
      'Batch chat completions do not support beam search. Please set `use_beam_search` to False.',
      'use_beam_search',
    );
  }
  if (isTruthy(body['logprob_token_ids']) && !isTruthy(body['logprobs'])) {
    throw badRequest(
      'when using `logprob_token_ids`, `logprobs` must be set to true.',
      'logprob_token_ids',
    );
  }
  const transfer = (Object(body['kv_transfer_params']) as Body)['prompt_token_ids'] ?? null;
  if (transfer !== null) {
    throw badRequest(
      "Batch chat completions do not support `kv_transfer_params['prompt_token_ids']`: one pre-tokenized prompt cannot serve several conversations.",
      'kv_transfer_params.prompt_token_ids',
    );
  }
  const format = body['response_format'] as Body | null | undefined;
  if (Object(format)['type'] === 'structural_tag') checkTagFormat(format as Body);
  const tag = (Object(body['structured_outputs']) as Body)['structural_tag'] ?? null;
  if (tag !== null) checkTagText(tag, 'structured_outputs');
  const { n = 1 } = body;
  if (n !== null && n !== 1 && n !== true) {
    throw badRequest(
      'Batch chat completions do not support `n > 1`. Please set `n` to 1.',
      'n',
      pythonText(n),
    );
  }
}
