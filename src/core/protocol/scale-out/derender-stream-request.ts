// The streamed bodies of POST …/derender: one chunk of tokens, and the state that the client carries.
import { type ChatRequest, readChatRequest } from '../openai/chat-request.ts';
import {
  anything,
  boolean,
  type Issue,
  integer,
  list,
  literal,
  notNull,
  object,
  type Parser,
  type Read,
  type Shape,
  schemaError,
  string,
} from '../openai/schema.ts';
import { readForm } from './derender-form.ts';

/** vllm/entrypoints/scale_out/token_in_token_out/protocol.py, `_bound_prev_tokens`. */
const previousTokensMax = 1024;
/** The same file: as many tokens as it takes to repair a character in log probabilities. */
const logprobContextMax = 4;

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

const chunkField = object(
  {
    request_id: string,
    usage: object({ prompt_tokens: integer(), completion_tokens: integer() }),
    prompt_token_ids: list(integer(0)),
    metrics: anything,
    output_mode: literal('tokens'),
    choices: notNull(list(choiceField)),
  },
  ['choices'],
);

const above0: Parser<number> = (value, loc, issues) => {
  const number = integer()(value, loc, issues);
  if (number === undefined || number > 0) return number;
  const msg = 'Input should be greater than 0';
  issues.push({ type: 'greater_than', loc, msg, input: value, ctx: `{'gt': 0}` });
  return undefined;
};

const stateFields = {
  prev_tokens: notNull(list(string)),
  prefix_offset: notNull(integer(0)),
  read_offset: notNull(integer(0)),
  role_sent: notNull(boolean),
  logprob_context_token_ids: notNull(list(integer(), logprobContextMax)),
  logprob_text_offset: notNull(integer(0)),
  output_token_ids: notNull(list(integer())),
  output_chunk_lens: notNull(list(above0)),
  tools_streamed: notNull(boolean),
  last_tool_call_ids: notNull(list(string)),
} as const;

/** What the client carries from one chunk to the next, with vLLM's names. */
export interface DerenderState {
  readonly prev_tokens: readonly string[];
  readonly prefix_offset: number;
  readonly read_offset: number;
  readonly role_sent: boolean;
  readonly logprob_context_token_ids: readonly number[];
  readonly logprob_text_offset: number;
  readonly output_token_ids: readonly number[];
  readonly output_chunk_lens: readonly number[];
  readonly tools_streamed: boolean;
  readonly last_tool_call_ids: readonly string[];
}

/** The state before the first chunk. */
export const firstDerenderState: DerenderState = {
  prev_tokens: [],
  prefix_offset: 0,
  read_offset: 0,
  role_sent: false,
  logprob_context_token_ids: [],
  logprob_text_offset: 0,
  output_token_ids: [],
  output_chunk_lens: [],
  tools_streamed: false,
  last_tool_call_ids: [],
};

const stateField: Parser<DerenderState> = (value, loc, issues) => {
  const before = issues.length;
  const read = object(stateFields)(value, loc, issues);
  if (read === undefined || issues.length > before) return undefined;
  const given = Object.entries(read).filter(([, field]) => field !== undefined);
  const state = { ...firstDerenderState, ...Object.fromEntries(given) } as DerenderState;
  const refuse = (text: string, at: string, input: unknown): undefined => {
    const ctx = `{'error': ValueError('${text}')}`;
    issues.push({ type: 'value_error', loc: at, msg: `Value error, ${text}`, input, ctx });
  };
  const { length } = state.prev_tokens;
  if (length > previousTokensMax) {
    const text = `prev_tokens length (${length}) exceeds maximum (${previousTokensMax})`;
    return refuse(text, `${loc}.prev_tokens`, state.prev_tokens);
  }
  const sum = state.output_chunk_lens.reduce((total, one) => total + one, 0);
  const tokens = state.output_token_ids.length;
  if (sum !== tokens) {
    const text = `output_chunk_lens must sum to len(output_token_ids) (got sum=${sum}, len(output_token_ids)=${tokens})`;
    return refuse(text, loc, value);
  }
  return state;
};

const streamFields = {
  model: string,
  generate_chunk: chunkField,
  stream_state: stateField,
  prompt_tokens: integer(),
  prompt_token_ids: list(integer(0)),
  chat_request: anything,
  completion_request: anything,
} as const;

export type DerenderChunk = NonNullable<Read<typeof streamFields>['generate_chunk']>;
export type DerenderStreamRequest = Omit<Read<typeof streamFields>, 'chat_request'> & {
  readonly chat_request: ChatRequest | undefined;
};

/** Whether a body is of the streamed form, which its `stream` decides. */
export function isStreamedDerender(body: unknown): boolean {
  return (Object(body) as { stream?: unknown }).stream === true;
}

/** @throws {ApiError} 400, with the issues of the whole and of the streamed form. */
export function readDerenderChatStream(body: unknown): DerenderStreamRequest {
  const whole = { generate_response: object({ choices: notNull(anything) }, ['choices']) };
  const request = read(body, {
    whole: 'DerenderChatRequest',
    shape: whole,
    streamed: 'DerenderChatStreamRequest',
  });
  const { chat_request: given } = request;
  const form = 'DerenderChatStreamRequest.chat_request';
  return {
    ...request,
    chat_request: given == null ? undefined : readForm(form, () => readChatRequest(given)),
  };
}

/** @throws {ApiError} As `readDerenderChatStream`. */
export function readDerenderCompletionStream(body: unknown): DerenderStreamRequest {
  const whole = { generate_responses: list(anything) };
  // Pydantic's wrapper of the first form is cut from its paths.
  return {
    ...read(body, { whole: '', shape: whole, streamed: 'DerenderCompletionStreamRequest' }),
    chat_request: undefined,
  };
}

/** @param forms The names of the two forms in the paths of issues, and what the whole one needs. */
function read(
  body: unknown,
  forms: { readonly whole: string; readonly shape: Shape; readonly streamed: string },
): Read<typeof streamFields> {
  const streamed: Issue[] = [];
  const place = `body.${forms.streamed}`;
  const request = object(streamFields, ['generate_chunk'])(body, place, streamed);
  if (request !== undefined && streamed.length === 0) return request;
  const whole: Issue[] = [];
  const ctx = "{'expected': 'False'}";
  const at = forms.whole === '' ? 'body' : `body.${forms.whole}`;
  whole.push({
    type: 'literal_error',
    loc: `${at}.stream`,
    msg: 'Input should be False',
    input: true,
    ctx,
  });
  object(forms.shape, Object.keys(forms.shape))(body, at, whole);
  throw schemaError([...whole, ...streamed]);
}
