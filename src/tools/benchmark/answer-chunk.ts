// Reads what a benchmark needs from one event of a streamed response, or from a response that is not streamed.

export interface AnswerChunk {
  /** Whether the chunk carries generated tokens (possibly without visible text), or the embedding. */
  readonly hasTokens: boolean;
  /** The text of these tokens; empty if they have none. */
  readonly text: string;
  readonly isFinished: boolean;
  readonly usage: AnswerUsage | undefined;
  /** Set if the server reports an error in the stream. */
  readonly error: string | undefined;
}

export interface AnswerUsage {
  readonly promptTokens: number | undefined;
  readonly outputTokens: number | undefined;
  readonly cachedTokens: number | undefined;
}

const silent: AnswerChunk = {
  hasTokens: false,
  text: '',
  isFinished: false,
  usage: undefined,
  error: undefined,
};

/**
 * Reads one event of a chat or a completion.
 *
 * vLLM sends the role of a chat response in a separate chunk, together with the chunk of the first
 * token. That chunk does not count as a token, because every response would then have one gap of
 * about 0 ms.
 *
 * @throws {SyntaxError} If the text is not a JSON object.
 */
export function readAnswerChunk(data: string): AnswerChunk {
  const chunk = objectIn(data);
  const choices = chunk['choices'];
  const first = Array.isArray(choices) ? choices[0] : undefined;
  return {
    hasTokens: isObject(first) && !announcesRole(first),
    text: isObject(first) ? textOf(first) : '',
    isFinished: isObject(first) && typeof first['finish_reason'] === 'string',
    usage: isObject(chunk['usage']) ? readUsage(chunk['usage']) : undefined,
    error: errorOf(chunk['error']),
  };
}

/**
 * Reads one event of OpenAI's Responses API.
 *
 * @throws {SyntaxError} If the text is not a JSON object.
 * @see https://platform.openai.com/docs/api-reference/responses-streaming
 */
export function readResponsesEvent(data: string): AnswerChunk {
  const event = objectIn(data);
  switch (event['type']) {
    case 'response.output_text.delta':
      return { ...silent, hasTokens: true, text: stringOf(event['delta']) };
    case 'response.reasoning_text.delta':
    case 'response.reasoning_part.delta':
    case 'response.function_call_arguments.delta':
      return { ...silent, hasTokens: true };
    case 'response.completed':
    case 'response.incomplete': {
      const response = event['response'];
      const usage = isObject(response) ? response['usage'] : undefined;
      return {
        ...silent,
        isFinished: true,
        usage: isObject(usage) ? readInputOutput(usage, usage['input_tokens_details']) : undefined,
      };
    }
    case 'response.failed': {
      const response = event['response'];
      return {
        ...silent,
        error: errorOf(isObject(response) ? response['error'] : undefined) ?? 'response.failed',
      };
    }
    case 'error':
      return { ...silent, error: errorText(event['error'] ?? event) };
    default:
      return { ...silent, error: errorOf(event['error']) };
  }
}

/**
 * Reads one event of Anthropic's Messages API.
 *
 * @throws {SyntaxError} If the text is not a JSON object.
 * @see https://docs.anthropic.com/en/docs/build-with-claude/streaming
 */
export function readMessagesEvent(data: string): AnswerChunk {
  const event = objectIn(data);
  switch (event['type']) {
    case 'content_block_delta': {
      const delta = event['delta'];
      const isSignature = isObject(delta) && delta['type'] === 'signature_delta';
      const text = isObject(delta) && !isSignature ? stringOf(delta['text']) : '';
      return { ...silent, hasTokens: isObject(delta) && !isSignature, text };
    }
    case 'message_start': {
      const message = event['message'];
      const usage = isObject(message) ? message['usage'] : undefined;
      return { ...silent, usage: isObject(usage) ? readAnthropicUsage(usage) : undefined };
    }
    case 'message_delta': {
      const usage = event['usage'];
      return { ...silent, usage: isObject(usage) ? readAnthropicUsage(usage) : undefined };
    }
    case 'message_stop':
      return { ...silent, isFinished: true };
    default:
      return { ...silent, error: errorOf(event['error']) };
  }
}

/**
 * Reads a response of /v1/embeddings, which is not streamed.
 *
 * @throws {SyntaxError} If the text is not a JSON object.
 */
export function readEmbeddings(body: string): AnswerChunk {
  const response = objectIn(body);
  const usage = response['usage'];
  return {
    ...silent,
    hasTokens: Array.isArray(response['data']) && response['data'].length > 0,
    isFinished: true,
    usage: isObject(usage) ? { ...readUsage(usage), outputTokens: 0 } : undefined,
    error: errorOf(response['error']),
  };
}

/** Returns the message of an OpenAI error object, a plain string as it is, or else the JSON. */
export function errorText(error: unknown): string {
  if (typeof error === 'string') return error;
  if (isObject(error) && typeof error['message'] === 'string') return error['message'];
  return JSON.stringify(error);
}

function errorOf(error: unknown): string | undefined {
  return error === undefined || error === null ? undefined : errorText(error);
}

function announcesRole(choice: Record<string, unknown>): boolean {
  const delta = choice['delta'];
  if (!isObject(delta) || typeof choice['finish_reason'] === 'string') return false;
  const saysSomething = [delta['content'], delta['reasoning_content'], delta['tool_calls']].some(
    (value) => (typeof value === 'object' ? value !== null : Boolean(value)),
  );
  return typeof delta['role'] === 'string' && !saysSomething;
}

function textOf(choice: Record<string, unknown>): string {
  const delta = choice['delta'];
  return isObject(delta) ? stringOf(delta['content']) : stringOf(choice['text']);
}

function readUsage(usage: Record<string, unknown>): AnswerUsage {
  const details = usage['prompt_tokens_details'];
  return {
    promptTokens: count(usage['prompt_tokens']),
    outputTokens: count(usage['completion_tokens']),
    cachedTokens: isObject(details) ? count(details['cached_tokens']) : undefined,
  };
}

function readInputOutput(usage: Record<string, unknown>, details: unknown): AnswerUsage {
  return {
    promptTokens: count(usage['input_tokens']),
    outputTokens: count(usage['output_tokens']),
    cachedTokens: isObject(details) ? count(details['cached_tokens']) : undefined,
  };
}

/** `input_tokens` of Anthropic does not include the tokens that were read from or written to the cache. */
function readAnthropicUsage(usage: Record<string, unknown>): AnswerUsage {
  const cached = count(usage['cache_read_input_tokens']);
  const written = count(usage['cache_creation_input_tokens']);
  const input = count(usage['input_tokens']);
  return {
    promptTokens: input === undefined ? undefined : input + (cached ?? 0) + (written ?? 0),
    outputTokens: count(usage['output_tokens']),
    cachedTokens: cached,
  };
}

function objectIn(data: string): Record<string, unknown> {
  const value: unknown = JSON.parse(data);
  if (!isObject(value)) throw new SyntaxError('not a JSON object');
  return value;
}

function stringOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function count(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
