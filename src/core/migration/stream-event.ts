// Events of OpenAI's streams as vLLM writes them, with token ids.

/** What the events of a stream with token ids are. */
export type TokenStreamKind = 'chat' | 'completion';

/** A part of a tool call. */
export interface ToolCallDelta {
  readonly index?: number;
  readonly function?: { readonly arguments?: string } | null;
}

export interface Delta {
  readonly role?: unknown;
  content?: unknown;
  reasoning?: unknown;
  reasoning_content?: unknown;
  readonly refusal?: unknown;
  tool_calls?: readonly ToolCallDelta[];
}

/** A choice of a chunk. */
export interface StreamChoice {
  index?: unknown;
  readonly delta?: Delta;
  text?: unknown;
  finish_reason?: unknown;
  stop_reason?: unknown;
  token_ids?: unknown;
  prompt_token_ids?: unknown;
}

export interface StreamUsage {
  prompt_tokens?: unknown;
  total_tokens?: unknown;
  completion_tokens?: unknown;
  completion_tokens_details?: { reasoning_tokens?: unknown } | null;
  prompt_tokens_details?: { cached_tokens?: unknown } | null;
}

/** A chunk of a stream. */
export interface StreamChunk {
  id?: unknown;
  created?: unknown;
  model?: unknown;
  object?: unknown;
  choices?: StreamChoice[];
  usage?: StreamUsage | null;
  prompt_token_ids?: unknown;
  readonly error?: { readonly message?: unknown; readonly code?: unknown } | null;
}

/** What a text of an event holds. */
export type ParsedEvent =
  | {
      readonly kind: 'chunk';
      readonly chunk: StreamChunk;
      /** The text between the brackets of the prompt's ids. */
      readonly promptIds: string | undefined;
      /** The event without the prompt's ids. */
      readonly rest: string;
    }
  | { readonly kind: 'done' }
  /** A comment, or something unknown. */
  | { readonly kind: 'other' };

const dataPrefix = 'data: ';
const promptIdsKey = '"prompt_token_ids":';
const tokenIdsKey = '"token_ids":';
const tokenIdsPattern = /"token_ids":\s*\[[\d,\s]*\]/g;

/**
 * Parses one event. The ids of the prompt are not parsed but returned as text, because there may be
 * 100,000 of them.
 */
export function parseEvent(event: string): ParsedEvent {
  if (!event.startsWith(dataPrefix)) return { kind: 'other' };
  if (event.startsWith('[DONE]', dataPrefix.length)) return { kind: 'done' };
  const [start, end] = promptIdsSpan(event);
  const promptIds = start < 0 ? undefined : event.slice(start + 1, end - 1);
  const rest = start < 0 ? event : `${event.slice(0, start)}null${event.slice(end)}`;
  try {
    const chunk: unknown = JSON.parse(rest.slice(dataPrefix.length));
    return isChunk(chunk) ? { kind: 'chunk', chunk, promptIds, rest } : { kind: 'other' };
  } catch {
    return { kind: 'other' };
  }
}

/** Tool calls of a response whose stream can move; lists of them are as long as their largest index. */
const callsMax = 1024;

/** Whether what is read of a chunk has the types that it is read as; texts and numbers are checked where they are used. */
function isChunk(value: unknown): value is StreamChunk {
  if (!isObject(value)) return false;
  const { choices, usage } = value;
  if (usage != null && !isObject(usage)) return false;
  // Others are no chunks of text, or errors.
  if (choices === undefined) return true;
  return Array.isArray(choices) && choices.every(isChoice);
}

function isChoice(value: unknown): boolean {
  if (!isObject(value)) return false;
  const { delta } = value;
  if (delta === undefined) return true;
  if (!isObject(delta)) return false;
  const { tool_calls: calls } = delta;
  return calls == null || (Array.isArray(calls) && calls.every(isCall));
}

function isCall(value: unknown): boolean {
  if (!isObject(value)) return false;
  const { index, function: called } = value;
  const isIndex = Number.isInteger(index) && Number(index) >= 0 && Number(index) < callsMax;
  if (index !== undefined && !isIndex) return false;
  if (called == null) return true;
  const text = isObject(called) ? called['arguments'] : false;
  return text == null || typeof text === 'string';
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

// Inside a string of JSON the quotes of these keys would be escaped, so only keys are found.

/** The events as the engine would have written them if it had not been asked for token ids. */
export function withoutIds(events: string): string {
  const [start, end] = promptIdsSpan(events);
  if (start < 0) return withoutTokenIds(events);
  return withoutTokenIds(`${events.slice(0, start)}null${events.slice(end)}`);
}

/** The same for an event without ids of the prompt. */
export function withoutTokenIds(event: string): string {
  return event.includes(tokenIdsKey) ? event.replace(tokenIdsPattern, '"token_ids":null') : event;
}

/** Where the list of the prompt's ids begins and ends; -1 and -1 without one. */
function promptIdsSpan(event: string): readonly [number, number] {
  const key = event.indexOf(promptIdsKey);
  if (key < 0) return [-1, -1];
  let start = key + promptIdsKey.length;
  while (event[start] === ' ') start++;
  const end = event.indexOf(']', start);
  return event[start] === '[' && end > 0 ? [start, end + 1] : [-1, -1];
}

/** Whether a client sees anything in the choice but its role. */
export function isVisible({ delta, text }: StreamChoice): boolean {
  if (isText(text)) return true;
  if (delta === undefined) return false;
  const { content, reasoning, reasoning_content: older, refusal } = delta;
  return (
    isText(content) || isText(reasoning) || isText(older) || isText(refusal) || hasCalls(delta)
  );
}

export function hasCalls(delta: Delta | undefined): boolean {
  return Array.isArray(delta?.tool_calls) && delta.tool_calls.length > 0;
}

/** Whether the choice belongs to the model's reasoning. */
export function isReasoning({ delta }: StreamChoice): boolean {
  return isText(delta?.reasoning) || isText(delta?.reasoning_content);
}

/** Whether the delta says nothing: vLLM then sends the event only for its token ids. */
export function isEmpty({ delta, finish_reason: reason = null }: StreamChoice): boolean {
  return delta !== undefined && reason === null && Object.keys(delta).length === 0;
}

function isText(value: unknown): boolean {
  return typeof value === 'string' && value !== '';
}

/** The ids in a choice; undefined if the engine does not tell them. */
export function idsOf({ token_ids: ids }: StreamChoice): readonly number[] | undefined {
  return Array.isArray(ids) && ids.every(Number.isInteger) ? (ids as number[]) : undefined;
}
