// The frames of LMCache's remote server protocol, `lm://`, as LMCache 0.3.3 to 0.5.6 send them. Integers are int32,
// little-endian; there is no handshake and no version.

import { latin1Text } from '../base/index.ts';

/** Bytes of a client's header. */
export const lmRequestBytes = 186;
const keyBytes = 150;
/** Bytes of format, dtype, location and the four dimensions, which a header has after command and length. */
export const labelBytes = 28;
/** Bytes of a server's header. */
export const lmReplyBytes = 36;

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
  const bytes = new Uint8Array(lmReplyBytes);
  const view = new DataView(bytes.buffer);
  view.setInt32(0, code, true);
  view.setInt32(4, length, true);
  bytes.set(label.subarray(0, 8), 8);
  bytes.set(label.subarray(12, 28), 16);
  bytes.set(label.subarray(8, 12), 32);
  return bytes;
}

const numbers: Readonly<Record<LmCommand, number>> = {
  ...{ put: 1, get: 2, exist: 3, list: 4, health: 5 },
};

/**
 * Writes a client's header.
 *
 * @param key Text whose characters are bytes, at most 150, without spaces at its end.
 * @param label What a PUT stores beside the value, as in `LmRequest`.
 * @throws {RangeError} If the key does not fit.
 */
export function lmRequest(
  command: LmCommand,
  key: string,
  length = 0,
  label: Uint8Array = noLabel,
): Uint8Array {
  if (key.length > keyBytes) {
    throw new RangeError(
      `The key has ${key.length} characters; lm:// has room for ${keyBytes}: ${key}`,
    );
  }
  const bytes = new Uint8Array(lmRequestBytes);
  const view = new DataView(bytes.buffer);
  view.setInt32(0, numbers[command], true);
  view.setInt32(4, length, true);
  bytes.set(label.subarray(0, 28), 8);
  const at = lmRequestBytes - keyBytes;
  bytes.fill(space, at);
  for (let i = 0; i < key.length; i++) bytes[at + i] = key.charCodeAt(i);
  return bytes;
}

const space = 0x20;

/**
 * Reads a server's header.
 *
 * @param bytes Exactly `lmReplyBytes`; not kept.
 */
export function readLmReply(bytes: Uint8Array): {
  readonly isFound: boolean;
  readonly length: number;
} {
  const view = new DataView(bytes.buffer, bytes.byteOffset, lmReplyBytes);
  return { isFound: view.getInt32(0, true) === 200, length: view.getInt32(4, true) };
}
