// The body of POST /v1/chat/completions.
import { badRequest } from './api-error.ts';
import { checkCacheSalt, samplingFields, stopField } from './sampling.ts';
import {
  anything,
  boolean,
  dictionary,
  float,
  integer,
  list,
  literal,
  object,
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
    type: string,
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

const chatFields = {
  messages: list(dictionary(anything)),
  model: string,
  frequency_penalty: float,
  logit_bias: dictionary(float),
  logprobs: boolean,
  top_logprobs: integer(),
  max_tokens: integer(),
  max_completion_tokens: integer(),
  n: integer(),
  presence_penalty: float,
  response_format: anything,
  seed: integer(),
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
  reasoning_effort: string,
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
  const request = readBody(body, chatFields, ['messages']);
  checkChatRequest(request);
  return request;
}

/** The checks of the model itself; for requests that were translated from another API. */
export function checkChatRequest(request: ChatRequest): void {
  checkStreaming(request);
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
  checkCacheSalt(request.cache_salt);
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
