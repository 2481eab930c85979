// The file of one value: a head with checksums, the key, the client's label, and the bytes.
import { crc32 } from 'node:zlib';

/**
 * The head, little-endian: magic and version, CRC-32 of all that follows up to the bytes, checksum of the bytes, length of the
 * key, length of the label, serial number, size, time of expiry (seconds since 1970).
 */
const magic = 'SPWKV\0\0\x02';
export const headBytes = 48;
const checkedFrom = 12;
/** Longest key and label; a head that says more is broken. */
const textBytesMax = 8192;

export interface ValueHead {
  readonly key: string;
  readonly label: Uint8Array | undefined;
  readonly size: number;
  readonly checksum: number;
  readonly expiresUnixSeconds: number;
  /** Later files of a key have a higher one. */
  readonly serial: number;
}

/** Returns all bytes before the value's own. */
export function writeHead(value: ValueHead): Buffer {
  const key = Buffer.from(value.key, 'latin1');
  const label = value.label ?? new Uint8Array(0);
  const head = Buffer.alloc(headBytes);
  head.write(magic, 0, 'latin1');
  head.writeUInt32LE(value.checksum, 12);
  head.writeUInt32LE(key.length, 16);
  // 0 is no label, so that an empty one is 1.
  head.writeUInt32LE(value.label === undefined ? 0 : label.length + 1, 20);
  head.writeDoubleLE(value.serial, 24);
  head.writeDoubleLE(value.size, 32);
  head.writeDoubleLE(value.expiresUnixSeconds, 40);
  const whole = Buffer.concat([head, key, label]);
  whole.writeUInt32LE(crc32(whole.subarray(checkedFrom)), 8);
  return whole;
}

/** Lengths of key and label; undefined if this is no head. */
export function textLengths(head: Buffer): { key: number; label: number } | undefined {
  if (head.length < headBytes || head.toString('latin1', 0, 8) !== magic) return undefined;
  const lengths = { key: head.readUInt32LE(16), label: Math.max(0, head.readUInt32LE(20) - 1) };
  return lengths.key + lengths.label > textBytesMax ? undefined : lengths;
}

/**
 * Reads what `writeHead` wrote.
 *
 * @param whole At least the head with key and label.
 * @returns undefined if it is broken.
 */
export function readHead(whole: Buffer): ValueHead | undefined {
  const lengths = textLengths(whole);
  if (lengths === undefined) return undefined;
  const end = headBytes + lengths.key + lengths.label;
  if (whole.length < end || whole.readUInt32LE(8) !== crc32(whole.subarray(checkedFrom, end))) {
    return undefined;
  }
  const labelStart = headBytes + lengths.key;
  return {
    key: whole.toString('latin1', headBytes, labelStart),
    label:
      whole.readUInt32LE(20) === 0 ? undefined : new Uint8Array(whole.subarray(labelStart, end)),
    checksum: whole.readUInt32LE(12),
    serial: whole.readDoubleLE(24),
    size: whole.readDoubleLE(32),
    expiresUnixSeconds: whole.readDoubleLE(40),
  };
}

/** Bytes of the file before the value's own. */
export function bodyOffset({ key, label }: Pick<ValueHead, 'key' | 'label'>): number {
  return headBytes + key.length + (label?.length ?? 0);
}
