// Reads what a benchmark needs from one event of a streamed completion.

export interface AnswerChunk {
  /** Whether the chunk carries generated tokens (possibly without visible text). */
  readonly hasTokens: boolean;
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

/**
 * Reads the JSON of one event.
 *
 * vLLM sends the role of a chat response in a separate chunk, together with the chunk of the first
 * token. That chunk does not count as a token, because every response would then have one gap of
 * about 0 ms.
 *
 * @throws {SyntaxError} If the text is not a JSON object.
 */
export function readAnswerChunk(data: string): AnswerChunk {
  const chunk: unknown = JSON.parse(data);
  if (!isObject(chunk)) throw new SyntaxError('not a JSON object');
  const error = chunk['error'];
  const choices = chunk['choices'];
  const first = Array.isArray(choices) ? choices[0] : undefined;
  return {
    hasTokens: isObject(first) && !announcesRole(first),
    isFinished: isObject(first) && typeof first['finish_reason'] === 'string',
    usage: isObject(chunk['usage']) ? readUsage(chunk['usage']) : undefined,
    error: error === undefined || error === null ? undefined : errorText(error),
  };
}

/** Returns the message of an OpenAI error object, a plain string as it is, or else the JSON. */
export function errorText(error: unknown): string {
  if (typeof error === 'string') return error;
  if (isObject(error) && typeof error['message'] === 'string') return error['message'];
  return JSON.stringify(error);
}

function announcesRole(choice: Record<string, unknown>): boolean {
  const delta = choice['delta'];
  if (!isObject(delta) || typeof choice['finish_reason'] === 'string') return false;
  const saysSomething = [delta['content'], delta['reasoning_content'], delta['tool_calls']].some(
    (value) => (typeof value === 'object' ? value !== null : Boolean(value)),
  );
  return typeof delta['role'] === 'string' && !saysSomething;
}

function readUsage(usage: Record<string, unknown>): AnswerUsage {
  const details = usage['prompt_tokens_details'];
  return {
    promptTokens: count(usage['prompt_tokens']),
    outputTokens: count(usage['completion_tokens']),
    cachedTokens: isObject(details) ? count(details['cached_tokens']) : undefined,
  };
}

function count(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
