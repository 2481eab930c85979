// Server-sent events in the chunks of an HTTP/1.1 body.

const decoder = new TextDecoder();
const encoder = new TextEncoder();

export const byteLf = 0x0a;
export const byteCr = 0x0d;
const byteSemicolon = 0x3b;

/** The chunk that ends a body. */
const lastChunkText = '0\r\n\r\n';

/** The text of whole chunks. */
export interface ChunksText {
  readonly text: string;
  /** Where they end. */
  readonly end: number;
  /** Whether the last chunk of the body is among them. */
  readonly isEnd: boolean;
}

/**
 * The chunks that begin at `at`, up to one that ends with an event.
 *
 * @param bytes Whole chunks.
 * @returns Undefined if they are not.
 */
export function chunksText(bytes: Uint8Array, at: number): ChunksText | undefined {
  let text = '';
  let start = at;
  while (start < bytes.length) {
    const lineEnd = bytes.indexOf(byteLf, start);
    const size = lineEnd < 0 ? -1 : chunkSize(bytes, start, lineEnd - 1);
    if (size === 0) {
      if (start > at) text += decoder.decode();
      return { text, end: bytes.length, isEnd: true };
    }
    const end = lineEnd + 1 + size;
    if (size < 0 || end + 2 > bytes.length) {
      decoder.decode();
      return undefined;
    }
    // A character may be divided between two chunks.
    text += decoder.decode(bytes.subarray(lineEnd + 1, end), { stream: true });
    start = end + 2;
    if (text.endsWith('\n\n')) break;
  }
  return { text: text + decoder.decode(), end: start, isEnd: false };
}

/** A number of bytes; -1 if the line is not a chunk size. */
function chunkSize(bytes: Uint8Array, from: number, to: number): number {
  let size = -1;
  for (let i = from; i < to; i++) {
    const byte = bytes[i] as number;
    const lower = byte | 0x20;
    const digit =
      byte >= 0x30 && byte <= 0x39 ? byte - 0x30 : lower >= 0x61 && lower <= 0x66 ? lower - 87 : -1;
    if (digit < 0) return byte === byteSemicolon ? size : -1;
    size = (size < 0 ? 0 : size) * 16 + digit;
  }
  return size;
}

/** One chunk; nothing for an empty text, which would end the body. */
export function chunkOf(text: string, isEnd = false): Uint8Array {
  const tail = isEnd ? lastChunkText : '';
  if (text === '') return encoder.encode(tail);
  const body = encoder.encode(text);
  const head = `${body.length.toString(16)}\r\n`;
  const framed = new Uint8Array(head.length + body.length + 2 + tail.length);
  encoder.encodeInto(head, framed);
  framed.set(body, head.length);
  encoder.encodeInto(`\r\n${tail}`, framed.subarray(head.length + body.length));
  return framed;
}

/**
 * The end of the last event that ends with its chunk: what precedes can be relayed, and the rest has to wait.
 *
 * @returns 0 if no event ends there.
 */
export function lastEventEnd(bytes: Uint8Array): number {
  for (let at = bytes.length; at >= 4; ) {
    const lf = bytes.lastIndexOf(byteLf, at - 1);
    if (lf < 3) return 0;
    if (bytes[lf - 1] === byteCr && bytes[lf - 2] === byteLf && bytes[lf - 3] === byteLf) {
      return lf + 1;
    }
    at = lf;
  }
  return 0;
}

/** Whether an event and its chunk end here. */
export function endsWithEvent(bytes: Uint8Array): boolean {
  const { length } = bytes;
  return (
    length >= 4 &&
    bytes[length - 1] === byteLf &&
    bytes[length - 2] === byteCr &&
    bytes[length - 3] === byteLf &&
    bytes[length - 4] === byteLf
  );
}

export function joined(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
