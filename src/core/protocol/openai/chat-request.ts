// The body of POST /v1/chat/completions.
import { ApiError, badRequest } from './api-error.ts';
import { checkCacheSalt, checkTrusted, samplingFields, stopField } from './sampling.ts';
import {
  anything,
  boolean,
  dictionary,
  float,
  integer,
  list,
  literal,
  object,
  type Parser,
  type Read,
  readBody,
  string,
  union,
} from './schema.ts';

/** `stream_options` of both generation routes. */
export const streamOptionsField = object({
  include_usage: boolean,
  continuous_usage_stats: boolean,
});

const toolField = object(
  {
    type: literal('function'),
    function: object({ name: string, description: string, parameters: anything, strict: boolean }, [
      'name',
    ]),
  },
  ['function'],
);

const namedChoiceField = object(
  { type: literal('function'), function: object({ name: string }, ['name']) },
  ['function'],
);

/** The first of the message types that Pydantic tries, under whose name it reports faults. */
const messageType = 'ChatCompletionDeveloperMessageParam';

/** A message of any role; only an assistant's may have no content. */
const messageField: Parser<Readonly<Record<string, unknown>>> = (value, loc, issues) => {
  const place = `${loc}.${messageType}`;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    const msg = 'Input should be a valid dictionary';
    issues.push({ type: 'dict_type', loc: place, msg, input: value });
    return undefined;
  }
  const { role, content } = value as Readonly<Record<string, unknown>>;
  const mayBeNull = role === 'assistant' || role === 'function';
  const isText = content === undefined || typeof content === 'string' || Array.isArray(content);
  if (!isText && !(content === null && mayBeNull)) {
    const msg = 'Input should be a valid string';
    issues.push({ type: 'string_type', loc: `${place}.content`, msg, input: content });
  } else if (role === undefined) {
    issues.push({ type: 'missing', loc: `${place}.role`, msg: 'Field required', input: value });
  } else if (typeof role !== 'string') {
    const msg = 'Input should be a valid string';
    issues.push({ type: 'string_type', loc: `${place}.role`, msg, input: role });
  }
  return value as Readonly<Record<string, unknown>>;
};

/** `response_format` of both generation routes. */
export const responseFormatField = object(
  {
    type: literal('text', 'json_object', 'json_schema', 'structural_tag'),
    json_schema: object(
      { name: string, description: string, schema: dictionary(anything), strict: boolean },
      ['name'],
    ),
    structures: list(anything),
    triggers: list(anything),
    format: anything,
  },
  ['type'],
);

const chatFields = {
  messages: list(messageField),
  model: string,
  frequency_penalty: float,
  logit_bias: dictionary(float),
  logprobs: boolean,
  top_logprobs: integer(),
  max_tokens: integer(),
  max_completion_tokens: integer(),
  n: integer(),
  presence_penalty: float,
  response_format: responseFormatField,
  seed: integer(-(2 ** 63), 2 ** 63 - 1),
  stop: stopField,
  stream: boolean,
  stream_options: streamOptionsField,
  temperature: float,
  top_p: float,
  tools: list(toolField),
  tool_choice: union(literal('none'), literal('auto'), literal('required'), namedChoiceField),
  parallel_tool_calls: boolean,
  user: string,
  echo: boolean,
  add_generation_prompt: boolean,
  continue_final_message: boolean,
  add_special_tokens: boolean,
  documents: list(anything),
  chat_template: string,
  chat_template_kwargs: dictionary(anything),
  reasoning_effort: literal('none', 'minimal', 'low', 'medium', 'high', 'xhigh', 'max'),
  include_reasoning: boolean,
  thinking_token_budget: integer(),
  return_token_offsets: boolean,
  ...samplingFields,
} as const;

/** As read: absent fields are undefined, defaults are not filled in. */
export type ChatRequest = Read<typeof chatFields>;
export type ChatMessage = NonNullable<ChatRequest['messages']>[number];
export type Tool = NonNullable<ChatRequest['tools']>[number];

/** @throws {ApiError} 400, by the schema first and then by the checks of the model itself. */
export function readChatRequest(body: unknown): ChatRequest {
  checkCacheSalt(body);
  if ((body as { messages?: unknown } | null)?.messages === null) {
    throw badRequest("'NoneType' object is not iterable");
  }
  checkStructuredRaw(body);
  checkToolsRaw(body);
  const request = readBody(body, chatFields, ['messages']);
  checkChatRequest(request);
  return request;
}

/** The checks of the model itself; for requests that were translated from another API. */
export function checkChatRequest(request: ChatRequest): void {
  checkStreaming(request);
  checkStructuralTag(request.response_format);
  const top = request.top_logprobs;
  if (top != null && top < 0 && top !== -1) {
    throw badRequest('`top_logprobs` must be a positive value or -1.', 'top_logprobs', `${top}`);
  }
  if (top != null && top !== 0 && request.logprobs !== true) {
    throw badRequest('when using `top_logprobs`, `logprobs` must be set to true.', 'top_logprobs');
  }
  checkToolChoice(request);
  if (request.continue_final_message && request.add_generation_prompt) {
    throw badRequest(
      'Cannot set both `continue_final_message` and `add_generation_prompt` to True.',
    );
  }
  checkTrusted(request);
  checkCacheSalt(request);
}

function checkStructuralTag(format: ChatRequest['response_format']): void {
  if (format?.type !== 'structural_tag' || format.format != null) return;
  if (format.structures?.length && format.triggers?.length) return;
  throw badRequest('Invalid response_format structural_tag specification.', 'response_format');
}

/** What vLLM says of tools before it reads the schema. */
function checkToolsRaw(body: unknown): void {
  const { tools, tool_choice: choice } = (body ?? {}) as Readonly<Record<string, unknown>>;
  if (Array.isArray(tools) && tools.length === 0) {
    throw badRequest(
      '`tools` must not be an empty array. Either provide at least one tool or omit the field entirely.',
      'tools',
    );
  }
  if (choice == null || tools == null) return;
  if (typeof choice === 'string' && !['none', 'auto', 'required'].includes(choice)) {
    throw badRequest(
      `Invalid value for \`tool_choice\`: ${choice}! Only named tools, "none", "auto" or "required" are supported.`,
      'tool_choice',
    );
  }
  const { function: named } = choice as { function?: unknown };
  if (typeof choice === 'object' && (typeof named !== 'object' || named === null)) {
    throw badRequest(
      'Invalid value for `function`: `None` in `tool_choice`! Correct usage: `{"type": "function", "function": {"name": "my_function"}}`',
      'tool_choice.function',
    );
  }
}

/** A constraint that is no object breaks vLLM's own check, which does not look. */
export function checkStructuredRaw(body: unknown): void {
  const outputs = (body as { structured_outputs?: unknown } | null)?.structured_outputs;
  if (typeof outputs !== 'string') return;
  throw new ApiError(500, 'InternalServerError', "'str' object has no attribute 'get'");
}

/** Checks that both generation routes have. */
export function checkStreaming(request: {
  readonly stream?: boolean | null | undefined;
  readonly stream_options?: unknown;
  readonly prompt_logprobs?: number | null | undefined;
}): void {
  if (request.stream_options != null && request.stream !== true) {
    throw badRequest('Stream options can only be defined when `stream=True`.', 'stream_options');
  }
  const promptLogprobs = request.prompt_logprobs;
  if (promptLogprobs == null) return;
  if (request.stream === true && (promptLogprobs > 0 || promptLogprobs === -1)) {
    throw badRequest('`prompt_logprobs` are not available when `stream=True`.', 'prompt_logprobs');
  }
  if (promptLogprobs < 0 && promptLogprobs !== -1) {
    throw badRequest(
      '`prompt_logprobs` must be a positive value or -1.',
      'prompt_logprobs',
      `${promptLogprobs}`,
    );
  }
}

function checkToolChoice({ tool_choice: choice, tools }: ChatRequest): void {
  if (choice == null || choice === 'none') return;
  if (tools == null || tools.length === 0) {
    throw badRequest('When using `tool_choice`, `tools` must be set.', 'tool_choice');
  }
  if (typeof choice === 'object') {
    const name = choice.function?.name;
    if (!tools.some((tool) => tool.function?.name === name)) {
      throw badRequest(
        'The tool specified in `tool_choice` does not match any of the specified `tools`',
        'tool_choice',
      );
    }
  }
}
