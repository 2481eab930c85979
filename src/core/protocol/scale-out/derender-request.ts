// The bodies of POST /v1/chat/completions/derender and /v1/completions/derender.
import { type ChatRequest, readChatRequest } from '../openai/chat-request.ts';
import {
  anything,
  boolean,
  type Issue,
  integer,
  list,
  object,
  type Read,
  readBody,
  schemaError,
  string,
} from '../openai/schema.ts';

const choiceField = object(
  {
    index: integer(),
    finish_reason: string,
    stop_reason: anything,
    token_ids: list(integer()),
    logprobs: anything,
  },
  ['index'],
);

const responseField = object(
  {
    request_id: string,
    choices: list(choiceField),
    prompt_logprobs: anything,
    prompt_token_ids: list(integer(0)),
    kv_transfer_params: anything,
    metrics: anything,
  },
  ['choices'],
);

const chatFields = {
  stream: boolean,
  model: string,
  generate_response: responseField,
  prompt_tokens: integer(),
  prompt_token_ids: list(integer(0)),
  chat_request: anything,
} as const;

const completionFields = {
  stream: boolean,
  model: string,
  generate_responses: list(responseField),
  prompt_tokens: list(integer()),
  prompt_token_ids: list(anything),
  completion_request: anything,
} as const;

export type GenerateResponse = NonNullable<Read<typeof chatFields>['generate_response']>;
export type DerenderCompletionRequest = Read<typeof completionFields>;
export type DerenderChatRequest = Omit<Read<typeof chatFields>, 'chat_request'> & {
  readonly chat_request: ChatRequest | undefined;
};

/** @throws {ApiError} 400, with the issues of the whole and of the streamed form. */
export function readDerenderChat(body: unknown): DerenderChatRequest {
  refuseMissing(body, 'generate_response', 'DerenderChatRequest.', 'DerenderChatStreamRequest.');
  const request = readBody(body, chatFields, ['generate_response']);
  const choices = request.generate_response?.choices ?? [];
  const bad = choices.findIndex(({ token_ids: tokens }) => tokens?.some((token) => token < 0));
  if (bad !== -1) {
    const text = 'token_ids must not contain negative values';
    const loc = `body.DerenderChatRequest.generate_response.choices.${bad}.token_ids`;
    const ctx = `{'error': ValueError('${text}')}`;
    const input = choices[bad]?.token_ids;
    throw schemaError([{ type: 'value_error', loc, msg: `Value error, ${text}`, input, ctx }]);
  }
  const { chat_request: given } = request;
  return { ...request, chat_request: given == null ? undefined : readChatRequest(given) };
}

/** @throws {ApiError} As `readDerenderChat`. */
export function readDerenderCompletion(body: unknown): DerenderCompletionRequest {
  // Pydantic's wrapper of the first form is cut from its paths; the second form has none.
  refuseMissing(body, 'generate_responses', '', 'DerenderCompletionStreamRequest.');
  const request = readBody(body, completionFields, ['generate_responses']);
  const { generate_responses: responses = [], prompt_tokens: tokens } = request;
  if (tokens != null && tokens.length !== responses?.length) {
    const text = `prompt_tokens length (${tokens.length}) must equal generate_responses length (${responses?.length})`;
    const ctx = `{'error': ValueError('${text}')}`;
    throw schemaError([
      { type: 'value_error', loc: 'body', msg: `Value error, ${text}`, input: body, ctx },
    ]);
  }
  return request;
}

/** A body that is neither form is reported as failing both. */
function refuseMissing(body: unknown, field: string, whole: string, streamed: string): void {
  if (typeof body !== 'object' || body === null || Array.isArray(body) || field in body) return;
  const missing = (loc: string): Issue => ({
    type: 'missing',
    loc: `body.${loc}`,
    msg: 'Field required',
    input: body,
  });
  const issues = [missing(whole + field)];
  if (!('stream' in body)) issues.push(missing(`${streamed}stream`));
  if (!('generate_chunk' in body)) issues.push(missing(`${streamed}generate_chunk`));
  throw schemaError(issues);
}
