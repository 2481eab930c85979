// Encodes token tables as bytes for a cache on disk, and decodes them without copying.
import type { TokenTables } from './token-tables.ts';

/** Change it whenever the layout or meaning of a table changes: old files are then ignored. */
export const tablesFormat = 1;

/** "SWTT" on a machine with the same byte order, otherwise reversed. */
const magic = 0x54_54_57_53;
/** Magic, format, and the length in bytes of each section except the last. */
const headerWords = 2 + 8;

/** @returns Bytes for `decodeTables` on a machine of the same byte order. */
export function encodeTables(tables: TokenTables): Uint8Array {
  const { left, right, rank, merged } = tables.merges;
  const sections: readonly ArrayBufferView[] = [
    new TextEncoder().encode(JSON.stringify(tables.rest)),
    tables.bytes,
    ...[tables.offsets, tables.byteIds, left, right, rank, merged, tables.wordSlots],
  ];
  // The last section takes the remaining bytes.
  const lengths = sections.slice(0, -1).map(({ byteLength }) => byteLength);
  const total = sections.reduce((sum, { byteLength }) => sum + padded(byteLength), headerWords * 4);
  const encoded = new Uint8Array(total);
  let at = headerWords * 4;
  for (const section of sections) {
    encoded.set(new Uint8Array(section.buffer, section.byteOffset, section.byteLength), at);
    at += padded(section.byteLength);
  }
  const words = new Uint32Array(encoded.buffer);
  words.set([magic, tablesFormat, ...lengths]);
  return encoded;
}

/**
 * @param encoded The complete result of `encodeTables`; the caller must detect damage.
 * @returns Undefined if the bytes have another format or byte order: make the tables again.
 */
export function decodeTables(encoded: Uint8Array): TokenTables | undefined {
  if (encoded.byteLength % 4 !== 0 || encoded.byteLength < headerWords * 4) return undefined;
  const whole = encoded.byteOffset % 4 === 0 ? encoded : encoded.slice();
  const words = new Uint32Array(whole.buffer, whole.byteOffset, whole.byteLength / 4);
  if (words[0] !== magic || words[1] !== tablesFormat) return undefined;
  let at = whole.byteOffset + headerWords * 4;
  let section = 2;
  const next = (): number => {
    const start = at;
    at += padded(words[section++] as number);
    return start;
  };
  const integers = (): Int32Array => {
    const bytes = words[section] as number;
    return new Int32Array(whole.buffer, next(), bytes / 4);
  };
  const restBytes = words[section] as number;
  const rest = new TextDecoder().decode(new Uint8Array(whole.buffer, next(), restBytes));
  const tokenBytes = words[section] as number;
  const bytes = new Uint8Array(whole.buffer, next(), tokenBytes);
  const offsetBytes = words[section] as number;
  const offsets = new Uint32Array(whole.buffer, next(), offsetBytes / 4);
  const byteIds = integers();
  const merges = { left: integers(), right: integers(), rank: integers(), merged: integers() };
  const end = whole.byteOffset + whole.byteLength;
  const wordSlots = new Int32Array(whole.buffer, at, (end - at) / 4);
  return { rest: JSON.parse(rest), bytes, offsets, byteIds, merges, wordSlots };
}

function padded(bytes: number): number {
  return (bytes + 3) & ~3;
}
