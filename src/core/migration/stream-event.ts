// Events of OpenAI's streams as vLLM writes them, with token ids.

/** What the events of a stream are. */
export type StreamKind = 'chat' | 'completion';

interface Delta {
  readonly role?: unknown;
  readonly content?: unknown;
  readonly reasoning?: unknown;
  readonly reasoning_content?: unknown;
  readonly refusal?: unknown;
  readonly tool_calls?: unknown;
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
  | { readonly kind: 'chunk'; readonly chunk: StreamChunk; readonly promptIds: string | undefined }
  | { readonly kind: 'done' }
  /** A comment, or something unknown. */
  | { readonly kind: 'other' };

const dataPrefix = 'data: ';
const promptIdsPattern = /"prompt_token_ids":\s*\[([\d,\s]*)\]/;
const tokenIdsPattern = /"token_ids":\s*\[[\d,\s]*\]/g;

/**
 * Parses one event. The ids of the prompt are not parsed but returned as text, because there may be
 * 100,000 of them.
 */
export function parseEvent(event: string): ParsedEvent {
  if (!event.startsWith(dataPrefix)) return { kind: 'other' };
  if (event.startsWith('[DONE]', dataPrefix.length)) return { kind: 'done' };
  const promptIds = promptIdsPattern.exec(event)?.[1];
  const json = (promptIds === undefined ? event : withoutPromptIds(event)).slice(dataPrefix.length);
  try {
    const chunk: unknown = JSON.parse(json);
    if (typeof chunk !== 'object' || chunk === null) return { kind: 'other' };
    return { kind: 'chunk', chunk, promptIds };
  } catch {
    return { kind: 'other' };
  }
}

// Inside a string of JSON the quotes of these keys would be escaped, so the patterns find keys only.

/** The event as the engine would have written it if it had not been asked for token ids. */
export function withoutIds(event: string): string {
  if (!event.includes('token_ids"')) return event;
  return withoutPromptIds(event).replace(tokenIdsPattern, '"token_ids":null');
}

function withoutPromptIds(event: string): string {
  return event.replace(promptIdsPattern, '"prompt_token_ids":null');
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
