// What stands for the chunks of an emulated LMCache outside the engine: their keys, as LMCache writes them, and their size.
import { createHash } from 'node:crypto';
import type { BlockKey } from '../../../core/engine/index.ts';

export interface ChunkValues {
  readonly valueBytes: number;
  /** @param hash In hex. */
  keyOf(hash: string): string;
  /** @param hash LMCache's own name of a chunk. Chunks that it would confuse with others have names of our own. */
  nameOf(key: BlockKey, hash: bigint | undefined): string;
  /** The hash in a key of the same model; undefined for other keys. */
  hashOf(key: string): bigint | undefined;
}

/** A value takes whole pages of the cache server, so smaller shares of a chunk are rounded to them. */
const pageBytes = 64 << 10;
/** LMCache's own keys have at most 150 characters over `lm://`. */
const keyLengthMax = 150;

/** @param share Of the bytes of a chunk, above 0 and at most 1. */
export function chunkValues(
  modelName: string,
  worldSize: number,
  chunkBytes: number,
  share: number,
): ChunkValues {
  const pages = Math.max(1, Math.round((chunkBytes * share) / pageBytes));
  const tail = '@bfloat16';
  const rest = `@${worldSize}@0@`;
  const isLong = modelName.length + rest.length + 16 + tail.length > keyLengthMax;
  const name = isLong
    ? createHash('sha256').update(modelName).digest('hex').slice(0, 16)
    : modelName;
  const head = `${name}${rest}`;
  const keyOf = (hash: string) => `${head}${hash}${tail}`;
  return {
    valueBytes: share === 1 ? chunkBytes : pages * pageBytes,
    keyOf,
    nameOf(key, hash) {
      if (hash !== undefined) return keyOf(hash.toString(16));
      const text = typeof key === 'string' ? key : key.toString(16);
      return keyOf(createHash('sha256').update(text, 'latin1').digest('hex').slice(0, 16));
    },
    hashOf(key) {
      if (!key.startsWith(head) || !key.endsWith(tail)) return undefined;
      const [, sign, digits] =
        /^(-?)([0-9a-f]{1,16})$/.exec(key.slice(head.length, -tail.length)) ?? [];
      if (digits === undefined) return undefined;
      const hash = BigInt(`0x${digits}`);
      return sign === '-' ? -hash : hash;
    },
  };
}
