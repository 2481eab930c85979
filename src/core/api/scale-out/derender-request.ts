// The bodies of POST /v1/chat/completions/derender and /v1/completions/derender. Each has two
// forms, whole and streamed; a body that matches neither is reported with the issues of both.
import { type ChatRequest, chatRequestField } from '../openai/chat-request.ts';
import { completionRequestField } from '../openai/completion-request.ts';
import {
  after,
  type Issue,
  integer,
  list,
  notNull,
  nullable,
  object,
  type Parser,
  schemaError,
  string,
} from '../openai/schema.ts';
import { derenderStateField } from './derender-state.ts';
import {
  type DerenderChunk,
  type GenerateResponse,
  generatedChunkField,
  generatedResponseField,
  tokenIdsField,
} from './generated-fields.ts';

const wholeChat = object(
  {
    stream: notNull(constant(false)),
    model: string,
    generate_response: notNull(generatedResponseField),
    prompt_tokens: integer(),
    prompt_token_ids: tokenIdsField,
    chat_request: chatRequestField,
  },
  ['generate_response'],
);

const wholeCompletion = after(
  object(
    {
      stream: notNull(constant(false)),
      model: string,
      generate_responses: notNull(list(generatedResponseField)),
      prompt_tokens: list(notNull(integer())),
      prompt_token_ids: list(nullable(tokenIdsField)),
      completion_request: completionRequestField,
    },
    ['generate_responses'],
  ),
  ({ generate_responses: responses, ...counts }) => {
    for (const name of ['prompt_tokens', 'prompt_token_ids'] as const) {
      const given = counts[name];
      if (given == null || given.length === responses?.length) continue;
      return `${name} length (${given.length}) must equal generate_responses length (${responses?.length})`;
    }
    return undefined;
  },
);

const streamFields = {
  stream: notNull(constant(true)),
  model: string,
  generate_chunk: notNull(generatedChunkField),
  stream_state: derenderStateField,
  prompt_tokens: integer(),
  prompt_token_ids: tokenIdsField,
} as const;
const streamRequired = ['stream', 'generate_chunk'] as const;

const streamedChat = object({ ...streamFields, chat_request: chatRequestField }, streamRequired);
const streamedCompletion = object(
  { ...streamFields, completion_request: completionRequestField },
  streamRequired,
);

type Parsed<P> = P extends Parser<infer T> ? T : never;

export type { DerenderChunk, GenerateResponse };
export type DerenderChatRequest = Parsed<typeof wholeChat> & {
  readonly chat_request?: ChatRequest | null | undefined;
};
export type DerenderCompletionRequest = Parsed<typeof wholeCompletion>;
export type DerenderChatStreamRequest = Parsed<typeof streamedChat>;
export type DerenderCompletionStreamRequest = Parsed<typeof streamedCompletion>;

/** @throws {ApiError} 400 with the issues of both forms. */
export function readDerenderChat(
  body: unknown,
): { readonly whole: DerenderChatRequest } | { readonly streamed: DerenderChatStreamRequest } {
  return readForms(
    body,
    { name: 'DerenderChatRequest', parser: wholeChat },
    { name: 'DerenderChatStreamRequest', parser: streamedChat },
  );
}

/** @throws {ApiError} Like `readDerenderChat`. */
export function readDerenderCompletion(
  body: unknown,
):
  | { readonly whole: DerenderCompletionRequest }
  | { readonly streamed: DerenderCompletionStreamRequest } {
  return readForms(
    body,
    // The first form has a wrapper of Pydantic's, which is removed from its locations; the second
    // form has none.
    { name: '', parser: wholeCompletion },
    { name: 'DerenderCompletionStreamRequest', parser: streamedCompletion },
  );
}

interface Form<T> {
  /** Used in the locations of issues. */
  readonly name: string;
  readonly parser: Parser<T>;
}

function readForms<W, S>(
  body: unknown,
  whole: Form<W>,
  streamed: Form<S>,
): { readonly whole: W } | { readonly streamed: S } {
  const issues: Issue[] = [];
  if (body === null) {
    throw schemaError([{ type: 'missing', loc: 'body', msg: 'Field required', input: null }]);
  }
  const place = (name: string) => (name === '' ? 'body' : `body.${name}`);
  const asWhole = whole.parser(body, place(whole.name), issues);
  if (asWhole !== undefined && issues.length === 0) return { whole: asWhole };
  const own: Issue[] = [];
  const asStreamed = streamed.parser(body, place(streamed.name), own);
  if (asStreamed !== undefined && own.length === 0) return { streamed: asStreamed };
  throw schemaError([...issues, ...own]);
}

/** One of Python's booleans, which equal 1 and 0. */
function constant(expected: boolean): Parser<boolean> {
  const spelled = expected ? 'True' : 'False';
  return (value, loc, issues) => {
    if (value === expected || value === Number(expected)) return expected;
    const msg = `Input should be ${spelled}`;
    const ctx = `{'expected': '${spelled}'}`;
    issues.push({ type: 'literal_error', loc, msg, input: value, ctx });
    return undefined;
  };
}
