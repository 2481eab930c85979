// Streams of named events: those of Anthropic's Messages and OpenAI's Responses, which have no token ids.

/** What the events of a stream with names are. */
export type NamedStreamKind = 'messages' | 'responses';

type Json = Readonly<Record<string, unknown>>;

/** What an event says, as far as a continuation needs it. */
export type NamedEvent =
  /** A part of a text: `texts` of one key are joined. */
  | { readonly kind: 'text'; readonly key: string; readonly text: string }
  /**
   * Something that is written once per key. `start`: it says nothing of the response yet. `close`: a part of the
   * response is complete, which an engine also writes when it aborts.
   */
  | {
      readonly kind: 'start' | 'mark' | 'close' | 'finish';
      readonly key: string;
      /** What has to be the same if another engine writes it again. */
      readonly says: string;
    }
  /** The last event. */
  | { readonly kind: 'end' }
  /** The engine cannot go on. */
  | { readonly kind: 'fault'; readonly message: string }
  /** A comment, or an error that another engine would return too. */
  | { readonly kind: 'aside' }
  | { readonly kind: 'unknown' };

/** One event with its data. */
export interface ParsedNamedEvent {
  readonly data: Json;
  readonly event: NamedEvent;
}

// A text may have U+2028, which a dot does not match.
const dataPattern = /^(?:event: ?[^\n]*\n)?data: ?([^\n]*)\n*$/;
const comment: ParsedNamedEvent = { data: {}, event: { kind: 'aside' } };
const unknown: ParsedNamedEvent = { data: {}, event: { kind: 'unknown' } };

/** Reads one event, with its blank line. */
export function parseNamedEvent(text: string, kind: NamedStreamKind): ParsedNamedEvent {
  if (text.startsWith(':') || text.startsWith('data: [DONE]')) return comment;
  const json = dataPattern.exec(text)?.[1];
  if (json === undefined) return unknown;
  let data: unknown;
  try {
    data = JSON.parse(json);
  } catch {
    return unknown;
  }
  if (!isObject(data)) return unknown;
  const event = errorIn(data) ?? (kind === 'messages' ? messagesEvent(data) : responsesEvent(data));
  return { data, event };
}

/** The event as the client gets it, with other data. */
export function namedEventText(data: Json): string {
  return `event: ${String(data['type'])}\ndata: ${JSON.stringify(data)}\n\n`;
}

/** The data of a text event with another text. */
export function withText(data: Json, text: string, kind: NamedStreamKind): Json {
  if (kind === 'responses') return { ...data, delta: text };
  const delta = data['delta'] as Json;
  return { ...data, delta: { ...delta, [textFields[String(delta['type'])] as string]: text } };
}

/** Fields of the texts in the deltas of a message. */
const textFields: Readonly<Record<string, string>> = {
  text_delta: 'text',
  thinking_delta: 'thinking',
  input_json_delta: 'partial_json',
};

function messagesEvent(data: Json): NamedEvent {
  const { type, index } = data;
  switch (type) {
    case 'message_start':
      return { kind: 'start', key: 'message_start', says: '' };
    case 'ping':
      return { kind: 'aside' };
    case 'content_block_start': {
      const says = JSON.stringify({ ...(data['content_block'] as object), id: undefined });
      return { kind: 'mark', key: `start ${index}`, says };
    }
    case 'content_block_delta':
      return deltaEvent(data['delta'], index);
    case 'content_block_stop':
      return { kind: 'close', key: `stop ${index}`, says: '' };
    case 'message_delta': {
      const { stop_reason: reason = null } = (data['delta'] ?? {}) as { stop_reason?: unknown };
      // vLLM has no reason for a request that it aborted.
      if (reason === null) return { kind: 'fault', message: 'it aborted the request' };
      return { kind: 'finish', key: 'message_delta', says: '' };
    }
    case 'message_stop':
      return { kind: 'end' };
    default:
      return { kind: 'unknown' };
  }
}

function deltaEvent(delta: unknown, index: unknown): NamedEvent {
  if (!isObject(delta)) return { kind: 'unknown' };
  const type = String(delta['type']);
  const text = delta[textFields[type] ?? ''];
  if (typeof text === 'string') return { kind: 'text', key: `${type} ${index}`, text };
  // A signature is another one in each stream.
  if (type === 'signature_delta') return { kind: 'close', key: `signature ${index}`, says: '' };
  return { kind: 'unknown' };
}

/** Parts of a response that grow, each with `.delta` and `.done`. */
const growing =
  /^response\.(?:output_text|refusal|reasoning_text|reasoning_summary_text|function_call_arguments|custom_tool_call_input)\.(delta|done)$/;
/** Parts of a response that open and close. */
const parts =
  /^response\.(?:output_item|content_part|reasoning_part|reasoning_summary_part)\.(added|done)$/;

function responsesEvent(data: Json): NamedEvent {
  const type = String(data['type']);
  const { output_index: item, content_index: part, summary_index: summary, response } = data;
  switch (type) {
    case 'response.created':
    case 'response.queued':
    case 'response.in_progress':
      return { kind: 'start', key: type, says: '' };
    case 'response.completed':
    case 'response.incomplete':
      return isObject(response) && failedStatuses.has(response['status'])
        ? { kind: 'fault', message: `its response ended as ${response['status']}` }
        : { kind: 'end' };
    case 'response.failed':
      return { kind: 'fault', message: 'it reported that the response failed' };
  }
  const key = `${type} ${item} ${part} ${summary}`;
  const growth = growing.exec(type)?.[1];
  if (growth === 'delta') {
    const { delta } = data;
    return typeof delta === 'string' ? { kind: 'text', key, text: delta } : { kind: 'unknown' };
  }
  const opening = growth ?? parts.exec(type)?.[1];
  if (opening === undefined) return { kind: 'unknown' };
  if (opening === 'done') return { kind: 'close', key, says: '' };
  const { type: kind, name } = (data['item'] ?? data['part'] ?? {}) as Json;
  return { kind: 'mark', key, says: JSON.stringify([kind, name]) };
}

const failedStatuses: ReadonlySet<unknown> = new Set(['cancelled', 'failed']);

/** Anthropic's names of errors that are the client's. */
const clientErrors: ReadonlySet<unknown> = new Set([
  'invalid_request_error',
  'authentication_error',
  'permission_error',
  'not_found_error',
  'request_too_large',
]);
const busyStatus = 429;
const serverErrorMin = 500;

/** An error in place of the rest of the stream. */
function errorIn(data: Json): NamedEvent | undefined {
  const { type, error } = data;
  // OpenAI's event has the message in itself; vLLM writes an object, also without a name.
  if (type !== 'error' && (type !== undefined || error == null)) return undefined;
  const { code, type: name, message } = (isObject(error) ? error : data) as Json;
  const isClients =
    (typeof code === 'number' && code < serverErrorMin && code !== busyStatus) ||
    clientErrors.has(name);
  return isClients
    ? { kind: 'aside' }
    : { kind: 'fault', message: `it reported: ${String(message)}` };
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
