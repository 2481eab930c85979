// The body of POST /v1/chat/completions.
import { badRequest } from './api-error.ts';
import { type ChatMessage, callIssues, messageField, withReasoning } from './chat-message.ts';
import {
  requestFieldsOfBoth,
  samplingFieldsOfBoth,
  stopField,
  streamIntervalField,
  streamOptionsField,
  thinkingBudgetField,
  topLogprobsField,
  transferFieldsOfBoth,
} from './generation-fields.ts';
import {
  checkCacheSalt,
  checkCallsRaw,
  checkChatLogprobs,
  checkConstraintsRaw,
  checkGenerationPrompt,
  checkMessagesRaw,
  checkResponseFormatRaw,
  checkStreamOptions,
  checkToolsRaw,
} from './raw-checks.ts';
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
  pydanticReport,
  type Read,
  readBody,
  string,
  union,
} from './schema.ts';
import { responseFormatField, structuredOutputsField } from './structured-outputs.ts';

export type { ChatMessage } from './chat-message.ts';

/** A tool that a client declares. */
export const toolField = object(
  {
    type: notNull(literal('function')),
    function: notNull(
      object(
        {
          name: notNull(string),
          description: string,
          parameters: dictionary<unknown>(anything) as Parser<unknown>,
          strict: boolean,
          defer_loading: boolean,
        },
        ['name'],
      ),
    ),
    defer_loading: boolean,
  },
  ['function'],
);

const namedChoiceField = object(
  {
    function: notNull(object({ name: notNull(string) }, ['name'])),
    type: notNull(literal('function')),
  },
  ['function'],
);

/** In vLLM's order, which is the order of the error report. */
const chatFields = {
  messages: notNull(list(messageField)),
  model: string,
  frequency_penalty: float,
  logit_bias: dictionary(float),
  logprobs: boolean,
  top_logprobs: topLogprobsField,
  max_tokens: integer(),
  max_completion_tokens: integer(),
  n: integer(),
  presence_penalty: float,
  response_format: responseFormatField,
  seed: integer64,
  stop: stopField,
  stream: boolean,
  stream_options: streamOptionsField,
  temperature: float,
  top_p: float,
  tools: list(toolField),
  tool_choice: union(literal('none'), literal('auto'), literal('required'), namedChoiceField),
  reasoning_effort: literal('none', 'minimal', 'low', 'medium', 'high', 'xhigh', 'max'),
  thinking_token_budget: thinkingBudgetField,
  include_reasoning: notNull(boolean),
  parallel_tool_calls: boolean,
  user: string,
  ...samplingFieldsOfBoth,
  prompt_logprobs: integer(),
  logprob_token_ids: list(integer()),
  allowed_token_ids: list(integer()),
  bad_words: notNull(list(string)),
  echo: notNull(boolean),
  add_generation_prompt: notNull(boolean),
  continue_final_message: notNull(boolean),
  add_special_tokens: notNull(boolean),
  documents: list(dictionary(string)),
  chat_template: string,
  chat_template_kwargs: dictionary(anything),
  media_io_kwargs: dictionary(dictionary(anything)),
  mm_processor_kwargs: dictionary(anything),
  structured_outputs: structuredOutputsField,
  ...requestFieldsOfBoth,
  return_prompt_text: boolean,
  ...transferFieldsOfBoth,
  stream_interval: streamIntervalField,
} as const;

/** As parsed: absent fields are undefined, defaults are not added. */
export type ChatRequest = Omit<Read<typeof chatFields>, 'messages'> & {
  readonly messages?: readonly ChatMessage[] | null | undefined;
};
export type Tool = NonNullable<ChatRequest['tools']>[number];

/** Parses the whole request: first the checks of the raw body, then the fields. */
export const chatRequestField: Parser<ChatRequest> = (value, loc, issues) => {
  const before = issues.length;
  const request = chatObject(prepared(value), loc, issues);
  if (request === undefined || issues.length > before) return undefined;
  for (const message of request.messages ?? []) {
    const faults = callIssues(message, loc);
    for (const fault of faults) issues.push(fault);
    if (faults.length > 0) return undefined;
  }
  return request;
};

const chatObject = object(chatFields, ['messages']);

/** @throws {ApiError} 400, from the checks of the raw body or else from the schema. */
export function readChatRequest(body: unknown): ChatRequest {
  return readBody(body, chatRequestField);
}

/** Returns the body that vLLM's own checks pass to Pydantic. @throws {ApiError} 400 or 500. */
function prepared(body: unknown): unknown {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) return body;
  const toolChoice = checkChatRequest(body);
  const { messages } = body as { readonly messages?: unknown };
  return {
    ...body,
    ...(Array.isArray(messages) && { messages: messages.map(withReasoning) }),
    // If there are tools but no choice, vLLM adds the choice to the body.
    ...(toolChoice === 'auto' && { tool_choice: 'auto' }),
  };
}

/**
 * Builds a chat request from fields of another body, as vLLM does.
 *
 * @throws {ApiError} 400 with Pydantic's own report if a field has a wrong type.
 */
export function chatRequestOfFields(fields: Readonly<Record<string, unknown>>): ChatRequest {
  const issues: Issue[] = [];
  const request = chatObject(prepared(fields), '', issues);
  if (request !== undefined && issues.length === 0) return request;
  const placed = issues.map((issue) => ({ ...issue, loc: issue.loc.replace(/^\./, '') }));
  throw badRequest(pydanticReport('ChatCompletionRequest', placed));
}

/**
 * Runs the checks on a body before its schema, in vLLM's order; also for requests translated from
 * another API.
 *
 * @returns The effective tool choice.
 * @throws {ApiError} 400 or 500.
 */
export function checkChatRequest(request: object): unknown {
  const body = request as Readonly<Record<string, unknown>>;
  checkMessagesRaw(body);
  checkGenerationPrompt(body);
  const toolChoice = checkToolsRaw(body);
  checkConstraintsRaw(body, { toolChoice });
  checkChatLogprobs(body);
  checkStreamOptions(body);
  checkResponseFormatRaw(body);
  checkCallsRaw(body);
  checkCacheSalt(body);
  return toolChoice;
}
