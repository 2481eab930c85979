// The bodies of POST /v1/chat/completions/derender and /v1/completions/derender.
import { type ChatRequest, readChatRequest } from '../openai/chat-request.ts';
import {
  anything,
  boolean,
  type Issue,
  integer,
  list,
  notNull,
  nullable,
  object,
  type Read,
  readBody,
  schemaError,
  string,
} from '../openai/schema.ts';
import { readForm } from './derender-form.ts';

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
    request_id: notNull(string),
    choices: notNull(list(choiceField)),
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
  prompt_token_ids: list(nullable(list(integer(0)))),
  completion_request: anything,
} as const;

export type GenerateResponse = NonNullable<Read<typeof chatFields>['generate_response']>;
export type DerenderCompletionRequest = Read<typeof completionFields>;
export type DerenderChatRequest = Omit<Read<typeof chatFields>, 'chat_request'> & {
  readonly chat_request: ChatRequest | undefined;
};

/** @throws {ApiError} 400, with the issues of the whole and of the streamed form. */
export function readDerenderChat(body: unknown): DerenderChatRequest {
  const form = 'DerenderChatRequest';
  refuseMissing(body, 'generate_response', `${form}.`, 'DerenderChatStreamRequest.');
  const request = readForm(form, () => readBody(body, chatFields, ['generate_response']));
  checkChoices(request.generate_response ?? {}, `body.${form}.generate_response`);
  const { chat_request: given } = request;
  const chat = given == null ? undefined : given;
  return {
    ...request,
    chat_request:
      chat === undefined
        ? undefined
        : readForm(`${form}.chat_request`, () => readChatRequest(chat)),
  };
}

/** @throws {ApiError} As `readDerenderChat`. */
export function readDerenderCompletion(body: unknown): DerenderCompletionRequest {
  // Pydantic's wrapper of the first form is cut from its paths; the second form has none.
  refuseMissing(body, 'generate_responses', '', 'DerenderCompletionStreamRequest.');
  const request = readBody(body, completionFields, ['generate_responses']);
  const { generate_responses: responses = [], prompt_tokens: tokens } = request;
  for (const [i, one] of (responses ?? []).entries()) {
    checkChoices(one, `body.generate_responses.${i}`);
  }
  if (tokens != null && tokens.length !== responses?.length) {
    const text = `prompt_tokens length (${tokens.length}) must equal generate_responses length (${responses?.length})`;
    const ctx = `{'error': ValueError('${text}')}`;
    throw schemaError([
      { type: 'value_error', loc: 'body', msg: `Value error, ${text}`, input: body, ctx },
    ]);
  }
  return request;
}

/** @throws {ApiError} 400 for token ids below zero, and for log probabilities of no token. */
function checkChoices(response: GenerateResponse, path: string): void {
  for (const [i, { token_ids: tokens, logprobs }] of (response.choices ?? []).entries()) {
    if (tokens?.some((token) => token < 0)) {
      const text = 'token_ids must not contain negative values';
      const loc = `${path}.choices.${i}.token_ids`;
      const ctx = `{'error': ValueError('${text}')}`;
      const msg = `Value error, ${text}`;
      throw schemaError([{ type: 'value_error', loc, msg, input: tokens, ctx }]);
    }
    const { content } = Object(logprobs) as { content?: unknown };
    const entries = Array.isArray(content) ? content : [];
    const missing = entries.flatMap((entry: unknown, at): Issue[] =>
      typeof (entry as { token_id?: unknown } | null)?.token_id === 'number'
        ? []
        : [
            {
              type: 'missing',
              loc: `${path}.choices.${i}.logprobs.content.${at}.token_id`,
              msg: 'Field required',
              input: entry,
            },
          ],
    );
    if (missing.length > 0) throw schemaError(missing);
  }
}

/** A body that is neither form is reported as failing both. */
function refuseMissing(body: unknown, field: string, whole: string, streamed: string): void {
  if (body === null) {
    throw schemaError([{ type: 'missing', loc: 'body', msg: 'Field required', input: null }]);
  }
  if (typeof body !== 'object' || Array.isArray(body)) {
    const msg = 'Input should be a valid dictionary or object to extract fields from';
    const issue = { type: 'model_attributes_type', msg, input: body };
    throw schemaError(
      [whole, streamed].map((form) => ({ ...issue, loc: `body.${form}`.replace(/\.$/, '') })),
    );
  }
  if (field in body) return;
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
