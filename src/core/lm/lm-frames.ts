// The frames of LMCache's remote server protocol, `lm://`, as LMCache 0.3 to 0.5.6 send them. Integers are int32,
// little-endian; there is no handshake and no version.

import { latin1Text } from '../base/index.ts';

/** Bytes of a client's header. */
export const lmRequestBytes = 186;
const keyBytes = 150;
const replyBytes = 36;

/** Commands by number. */
export const lmCommands = { 1: 'put', 2: 'get', 3: 'exist', 4: 'list', 5: 'health' } as const;
export type LmCommand = (typeof lmCommands)[keyof typeof lmCommands];

/** A client's header. */
export interface LmRequest {
  /** Undefined for a number that is no command. */
  readonly command: LmCommand | undefined;
  /** Bytes of the body; negative lengths are the caller's to refuse. */
  readonly length: number;
  /** Opaque: models, hashes and tags of any version. */
  readonly key: string;
  /** Format, dtype, location and the four dimensions: 28 bytes that are returned as they came. */
  readonly label: Uint8Array;
}

/**
 * Reads a header.
 *
 * @param bytes Exactly `lmRequestBytes`; not kept.
 */
export function readLmRequest(bytes: Uint8Array): LmRequest {
  const view = new DataView(bytes.buffer, bytes.byteOffset, lmRequestBytes);
  const number = view.getInt32(0, true);
  // Latin-1 keeps the bytes apart as they are; a client may cut a character of several bytes.
  const padded = latin1Text(bytes.subarray(lmRequestBytes - keyBytes));
  return {
    command: lmCommands[number as keyof typeof lmCommands],
    length: view.getInt32(4, true),
    key: padded.replace(/ +$/, ''),
    label: bytes.slice(8, 36),
  };
}

/** Format 1, dtype 2, no location and no shape: the label of a reply without a body. */
const noLabel = Uint8Array.of(
  ...[1, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0],
  ...[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
);

/**
 * Writes a server's header: code, length, format, dtype, shape and last the location, which requests have before the
 * shape.
 *
 * @param code 200, or 400 for a miss; clients know no others.
 */
export function lmReply(code: 200 | 400, length = 0, label: Uint8Array = noLabel): Uint8Array {
  const bytes = new Uint8Array(replyBytes);
  const view = new DataView(bytes.buffer);
  view.setInt32(0, code, true);
  view.setInt32(4, length, true);
  bytes.set(label.subarray(0, 8), 8);
  bytes.set(label.subarray(12, 28), 16);
  bytes.set(label.subarray(8, 12), 32);
  return bytes;
}
