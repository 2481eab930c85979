// The usual event of a stream: one chunk, one event, one piece of text. It is recognised by its bytes, because
// parsing its JSON would cost more than relaying it.
import { byteCr, byteLf } from './event-framing.ts';
import type { TokenStreamKind } from './stream-event.ts';

/** What such an event ends with, from the quote that ends its text to its token's digits. */
const beforeDigits: Readonly<Record<TokenStreamKind, Pattern>> = {
  chat: patternOf('"},"logprobs":null,"finish_reason":null,"token_ids":['),
  completion: patternOf(
    '","logprobs":null,"finish_reason":null,"stop_reason":null,"prompt_token_ids":null,"token_ids":[',
  ),
};
const afterDigits = patternOf(']}]}\n\n\r\n');
/** What begins the part of an event that differs: the key of a delta, or the text. */
const markTexts: Readonly<Record<TokenStreamKind, string>> = {
  chat: '"index":0,"delta":{"',
  completion: '"index":0,"text":"',
};
const marks = { chat: patternOf(markTexts.chat), completion: patternOf(markTexts.completion) };
const contentKey = patternOf('content":"');
/** The older one is that of DeepSeek's API. */
const thoughtKeys = [patternOf('reasoning":"'), patternOf('reasoning_content":"')];
const doneChunk = patternOf('e\r\ndata: [DONE]\n\n\r\n');
/** `null`, as `getInt32` reads it. */
const nullWord = 0x6e75_6c6c;
const nullLength = 4;
const digitsMax = 9;
/** A longer size of a chunk has an extension. */
const sizeDigitsMax = 8;
const byteSpace = 0x20;
const byteQuote = 0x22;
const byteBackslash = 0x5c;
const byteR = 'r'.charCodeAt(0);

/** The usual event of an engine that tells no token ids. */
export interface TextShape {
  /** Offset of `key` from the start of the event. */
  readonly keyAt: number;
  /** From the mark to the quote that begins the text. */
  readonly key: string;
  readonly keyPattern: Pattern;
  /** From the quote that ends the text to the end of the event. */
  readonly tail: string;
  /** With the end of the chunk. */
  readonly tailPattern: Pattern;
}

/**
 * What the usual events of the last streams looked like. Streams of one engine differ in text and ids only, so a new
 * stream tries it from its first event on; each use compares the bytes.
 */
export class UsualEvents {
  /** Offset of the mark from the start of an event with a token id; -1 if none has been seen. */
  readonly markAt: Record<TokenStreamKind, number> = { chat: -1, completion: -1 };
  /** The last event without ids. */
  readonly text: Record<TokenStreamKind, TextShape | undefined> = {
    chat: undefined,
    completion: undefined,
  };
}

/** What `readToken` found; valid until its next call. */
export const usualToken = {
  id: 0,
  /** Of the text, in JSON. */
  textBytes: 0,
  isThought: false,
};

/**
 * Reads an event with one token.
 *
 * @param at Where a chunk begins.
 * @param limit Where the bytes end.
 * @param markAt Offset of the mark from the start of the event.
 * @param hidesIds Whether to overwrite the ids by `null`, of the same length.
 * @returns The end of the chunk, and `usualToken` has its token; 0 if it is another event.
 */
export function readToken(
  bytes: DataView,
  at: number,
  limit: number,
  kind: TokenStreamKind,
  markAt: number,
  hidesIds: boolean,
): number {
  const end = chunkEnd(bytes, at, limit);
  const before = beforeDigits[kind];
  const tail = end - afterDigits.length;
  if (tail - before.length < dataStart || !matches(bytes, tail, afterDigits)) return 0;
  let id = 0;
  let scale = 1;
  let digitAt = tail - 1;
  for (; digitAt >= dataStart; digitAt--) {
    const digit = bytes.getUint8(digitAt) - 0x30;
    if (digit < 0 || digit > 9) break;
    id += digit * scale;
    scale *= 10;
  }
  const digits = tail - 1 - digitAt;
  const textEnd = digitAt + 1 - before.length;
  // `null` has to fit into the brackets.
  if (digits < (hidesIds ? nullLength - 2 : 1) || digits > digitsMax) return 0;
  const mark = marks[kind];
  const start = dataStart + markAt;
  const markEnd = start + mark.length;
  if (markEnd > textEnd || !matches(bytes, start, mark)) return 0;
  const textStart = kind === 'chat' ? endOfKey(bytes, markEnd) : markEnd;
  if (textStart === 0 || textStart > textEnd || !matches(bytes, textEnd, before)) return 0;
  if (hasQuote(bytes, textStart, textEnd)) return 0;
  // Few texts are long enough for two events.
  const mayBeTwo = end - dataStart > 2 * (markAt + before.length);
  if (mayBeTwo && hasTwo(bytes, end)) return 0;
  usualToken.id = id;
  usualToken.isThought = kind === 'chat' && bytes.getUint8(markEnd) === byteR;
  usualToken.textBytes = textEnd - textStart;
  if (hidesIds) {
    bytes.setInt32(digitAt, nullWord);
    for (let i = digitAt + nullLength; i <= tail; i++) bytes.setUint8(i, byteSpace);
  }
  return end;
}

/** Whether a text has a quote that is not escaped: there are two texts. */
function hasQuote(bytes: DataView, start: number, end: number): boolean {
  for (let at = start; at < end; at++) {
    const byte = bytes.getUint8(at);
    if (byte === byteBackslash) at++;
    else if (byte === byteQuote) return true;
  }
  return false;
}

/** Where the text of a delta begins; 0 if its first key is no text. */
function endOfKey(bytes: DataView, at: number): number {
  if (matches(bytes, at, contentKey)) return at + contentKey.length;
  for (const key of thoughtKeys) if (matches(bytes, at, key)) return at + key.length;
  return 0;
}

/** @returns The end of the chunk at `at`, if it is one event of this shape, with some text; otherwise 0. */
export function textEventEnd(
  bytes: DataView,
  at: number,
  limit: number,
  { keyAt, keyPattern, tailPattern }: TextShape,
): number {
  const end = chunkEnd(bytes, at, limit);
  const tail = end - tailPattern.length;
  const key = dataStart + keyAt;
  const isShape =
    tail > key + keyPattern.length &&
    matches(bytes, tail, tailPattern) &&
    matches(bytes, key, keyPattern);
  if (!isShape) return 0;
  const mayBeTwo = end - dataStart > 2 * (keyAt + keyPattern.length) + tailPattern.length;
  return mayBeTwo && hasTwo(bytes, end) ? 0 : end;
}

/** @returns The end of the chunk at `at`, if it is the stream's last event; otherwise 0. */
export function doneEventEnd(bytes: DataView, at: number, limit: number): number {
  const end = at + doneChunk.length;
  return end <= limit && matches(bytes, at, doneChunk) ? end : 0;
}

/** Offset of the mark in an event with a token; -1 if it is not there. */
export function markOffset(event: string, kind: TokenStreamKind): number {
  return event.indexOf(markTexts[kind]);
}

/**
 * The shape of an event without token ids.
 *
 * @param known Returned if the event has it.
 * @returns Undefined if there is no constant part that says that the response goes on.
 */
export function textShapeOf(
  event: string,
  kind: TokenStreamKind,
  known: TextShape | undefined,
): TextShape | undefined {
  const match = (kind === 'chat' ? chatText : completionText).exec(event);
  if (match === null) return undefined;
  const [key] = match;
  const head = event.slice(0, match.index);
  const tail = event.slice(textEnd(event, match.index + key.length));
  if (!tail.includes('"finish_reason":null') || head.includes('"usage"')) return undefined;
  if (/"usage":(?!null)|"(prompt_)?token_ids":(?!null)/.test(tail)) return undefined;
  // One byte a character.
  const keyAt = /[^\x20-\x7e]/.test(head) ? -1 : head.length;
  if (keyAt < 0) return undefined;
  if (known?.keyAt === keyAt && known.key === key && known.tail === tail) return known;
  return { keyAt, key, keyPattern: patternOf(key), tail, tailPattern: patternOf(`${tail}\r\n`) };
}

// Inside a string of JSON the quotes would be escaped.
const chatText = /"index":0,"delta":\{"[a-z_]{1,20}":"/;
const completionText = /"index":0,"text":"/;

/** Index of the quote that ends a string of JSON. */
function textEnd(json: string, start: number): number {
  let at = start;
  while (at < json.length && json[at] !== '"') at += json[at] === '\\' ? 2 : 1;
  return at;
}

/** Where the data of the chunk begins whose end `chunkEnd` returned last. */
let dataStart = 0;

/** The end of the chunk that begins at `at`; 0 if it is not whole, is the last one, or has an extension. */
function chunkEnd(bytes: DataView, at: number, limit: number): number {
  let size = 0;
  let i = at;
  const sizeEndMax = Math.min(at + sizeDigitsMax, limit - 2);
  for (; i < sizeEndMax; i++) {
    const byte = bytes.getUint8(i);
    const lower = byte | 0x20;
    if (byte >= 0x30 && byte <= 0x39) size = size * 16 + byte - 0x30;
    else if (lower >= 0x61 && lower <= 0x66) size = size * 16 + lower - 87;
    else break;
  }
  if (size === 0 || bytes.getUint8(i) !== byteCr || bytes.getUint8(i + 1) !== byteLf) return 0;
  dataStart = i + 2;
  const end = dataStart + size + 2;
  return end <= limit ? end : 0;
}

/** Whether a chunk with an event at its end has another one before it: there is a line feed between them. */
function hasTwo(bytes: DataView, end: number): boolean {
  for (let i = dataStart; i < end - 4; i++) if (bytes.getUint8(i) === byteLf) return true;
  return false;
}

/** Bytes to compare with, four at a time. */
interface Pattern {
  /** At least four. */
  readonly length: number;
  /** As `getInt32` reads them; the first one may overlap the second. */
  readonly words: Int32Array;
}

function patternOf(text: string): Pattern {
  const bytes = new TextEncoder().encode(text);
  const view = new DataView(bytes.buffer);
  const { length } = bytes;
  const words = new Int32Array(Math.ceil(length / 4));
  for (let i = 0; i < words.length; i++) words[i] = view.getInt32(wordAt(length, i));
  return { length, words };
}

/** Offset of a word of a pattern: they end with it. */
function wordAt(length: number, index: number): number {
  return Math.max(0, length - 4 * (Math.ceil(length / 4) - index));
}

function matches(bytes: DataView, at: number, { length, words }: Pattern): boolean {
  let offset = at + length - 4;
  for (let i = words.length - 1; i > 0; i--) {
    if (bytes.getInt32(offset) !== words[i]) return false;
    offset -= 4;
  }
  return bytes.getInt32(at) === words[0];
}
