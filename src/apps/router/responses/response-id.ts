// The id of a response, from the first bytes of its body: `id` of the object, or that of the first event of a stream.
import { ChunkedReader, type ResponseHead } from '../../../io/http/index.ts';
import { isEventStream } from '../requests/proxy-heads.ts';

/** Bytes of a body in which the id is looked for; engines write it first. */
const searchedBytesMax = 65_536;

export class ResponseIdReader {
  readonly #isStream: boolean;
  readonly #chunked: ChunkedReader | undefined;
  #text = '';

  /** @param head Of a response with status 200 that is not compressed. */
  constructor(head: ResponseHead) {
    this.#isStream = isEventStream(head);
    this.#chunked = head.framing === 'chunked' ? new ChunkedReader() : undefined;
  }

  /**
   * @param bytes A read of the body with its framing, valid during the call.
   * @returns The id; null if the response has none, undefined to wait for more.
   */
  read(bytes: Buffer): string | null | undefined {
    if (this.#chunked === undefined) this.#add(bytes, 0, bytes.length);
    else this.#chunked.read(bytes, 0, bytes.length, (...part) => this.#add(...part));
    const id = this.#isStream ? idInEvents(this.#text) : stringIn(this.#text, 0, ['id']);
    return id === undefined && this.#text.length >= searchedBytesMax ? null : id;
  }

  #add(bytes: Buffer, start: number, end: number): void {
    const last = Math.min(end, start + searchedBytesMax - this.#text.length);
    if (last > start) this.#text += bytes.toString('latin1', start, last);
  }
}

function idInEvents(text: string): string | null | undefined {
  for (const { index, 0: start } of text.matchAll(/^data:/gm)) {
    const id = stringIn(text, index + start.length, ['response', 'id']);
    if (id !== null) return id;
  }
  return undefined;
}

/**
 * The text at a path of keys in the start of a JSON object.
 *
 * @returns Null if it is not there, or is no text; undefined if the object goes on.
 * @example stringIn('{"a":{"b":1,"id":"x"', 0, ['a', 'id']); // 'x'
 */
export function stringIn(
  text: string,
  start: number,
  path: readonly string[],
): string | null | undefined {
  const open: string[] = [];
  let found = 0;
  let isKey = false;
  for (let at = start; at < text.length; at++) {
    const character = text[at] as string;
    if (character === '"') {
      const end = endOfString(text, at);
      if (end < 0) return undefined;
      if (isKey && open.length === found + 1 && text.slice(at + 1, end) === path[found]) {
        const value = startOfValue(text, end + 1);
        if (value < 0) return undefined;
        if (found === path.length - 1) return stringFrom(text, value);
        if (text[value] !== '{') return null;
        found++;
      }
      isKey = false;
      at = end;
    } else if (character === '{' || character === '[') {
      open.push(character);
      isKey = character === '{';
    } else if (character === '}' || character === ']') {
      open.pop();
      if (open.length <= found) return null;
    } else if (character === ',') isKey = open.at(-1) === '{';
  }
  return undefined;
}

/** @returns The position of the quote that ends a string; -1 if it is not there yet. */
function endOfString(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at++) {
    if (text[at] === '\\') at++;
    else if (text[at] === '"') return at;
  }
  return -1;
}

/** @returns The position of the first character after a colon that is no white space; -1 if it is not there yet. */
function startOfValue(text: string, start: number): number {
  const value = /[^\s:]/g;
  value.lastIndex = start;
  return value.exec(text)?.index ?? -1;
}

function stringFrom(text: string, start: number): string | null | undefined {
  if (text[start] !== '"') return null;
  const end = endOfString(text, start);
  if (end < 0) return undefined;
  try {
    return String(JSON.parse(text.slice(start, end + 1)));
  } catch {
    return null;
  }
}
