// The usual read of a stream: one chunk with one event of one token. It is recognised by its bytes, because
// parsing its JSON would cost more than relaying it.
import { byteLf, chunkSize } from './event-framing.ts';
import type { StreamKind } from './stream-event.ts';

/** What such an event ends with, from the quote that ends its text to its token's digits. */
const beforeDigits: Readonly<Record<StreamKind, Uint8Array>> = {
  chat: bytesOf('"},"logprobs":null,"finish_reason":null,"token_ids":['),
  completion: bytesOf(
    '","logprobs":null,"finish_reason":null,"stop_reason":null,"prompt_token_ids":null,"token_ids":[',
  ),
};
const afterDigits = bytesOf(']}]}\n\n\r\n');
const nullText = bytesOf('null');
const digitsMax = 9;
/** A longer line of a chunk's size has an extension. */
const sizeLineMax = 10;
const byteSpace = 0x20;
const byteQuote = 0x22;
const byteColon = 0x3a;

/** What `readSingleToken` found; valid until its next call. */
export const singleToken = { id: 0, isVisible: false, deltaKey: 0 };

/**
 * @param bytes A read of the body.
 * @param deltaAt Offset of the delta's first key, or of the text, from the start of the chunk's data.
 * @param hidesIds Whether to overwrite the ids by `null`, of the same length.
 * @returns Whether the read is such an event; then `singleToken` has its token.
 */
export function readSingleToken(
  bytes: Uint8Array,
  kind: StreamKind,
  deltaAt: number,
  hidesIds: boolean,
): boolean {
  const { length } = bytes;
  const tail = length - afterDigits.length;
  const before = beforeDigits[kind];
  if (tail < before.length || !equalAt(bytes, tail, afterDigits)) return false;
  let id = 0;
  let scale = 1;
  let at = tail - 1;
  for (; at >= 0; at--) {
    const digit = (bytes[at] as number) - 0x30;
    if (digit < 0 || digit > 9) break;
    id += digit * scale;
    scale *= 10;
  }
  const digits = tail - 1 - at;
  const start = at + 1 - before.length;
  // `null` has to fit into the brackets.
  if (digits < (hidesIds ? 2 : 1) || digits > digitsMax || start < 2) return false;
  if (!equalAt(bytes, start, before)) return false;
  let lineEnd = 0;
  while (lineEnd < sizeLineMax && bytes[lineEnd] !== byteLf) lineEnd++;
  const dataStart = lineEnd + 1;
  const dataBytes = length - dataStart - 2;
  if (chunkSize(bytes, 0, lineEnd - 1) !== dataBytes || dataStart + deltaAt >= start) return false;
  // Two events have a line feed between them; few texts are long enough for two.
  const mayBeTwo = dataBytes > 2 * (deltaAt + before.length);
  if (mayBeTwo && bytes.indexOf(byteLf, dataStart) !== length - 4) return false;
  singleToken.id = id;
  singleToken.deltaKey = bytes[dataStart + deltaAt] as number;
  // Quotes in a text are escaped, so this is an empty one.
  singleToken.isVisible = bytes[start - 1] !== byteQuote || bytes[start - 2] !== byteColon;
  if (hidesIds) {
    for (let i = 0; i < nullText.length; i++) bytes[at + i] = nullText[i] as number;
    for (let i = at + nullText.length; i <= tail; i++) bytes[i] = byteSpace;
  }
  return true;
}

function equalAt(bytes: Uint8Array, at: number, expected: Uint8Array): boolean {
  for (let i = expected.length - 1; i >= 0; i--) {
    if (bytes[at + i] !== expected[i]) return false;
  }
  return true;
}

function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
