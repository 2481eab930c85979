// The router's own block hash: fast, and the same over token ids and raw bytes. Engines name blocks by SHA-256
// (block-hash.ts), which is too slow to compute per request; an index only needs equal names for equal
// prefixes.

/**
 * A block's name in the router's indexes: an integer in [1, 2^53), exact in a double.
 *
 * It identifies the content of the block and of all blocks before it, because each hash is computed from its
 * parent's. Among n different prefixes, the chance that any two share a name is about n² / 2^54:
 * 1 in 180 for ten million blocks. It is not secret and not collision resistant against an
 * attacker, so use it only where a wrong match costs time and not correctness.
 */
export type ChainHash = number;

/** The parent of a first block that belongs to no scope. */
export const chainRoot: ChainHash = 1;

/**
 * Names every full block of a text.
 *
 * @param parts The text in order; where it is split does not matter.
 * @param blockBytes Block length in bytes; a positive multiple of 4.
 * @param seed Parent of the first block: `chainRoot`, a scope, or the block that these bytes follow.
 * @returns Shape [floor(total bytes / blockBytes)]; entry i stands for blocks 0..i.
 * @throws {RangeError} If `blockBytes` is not a positive multiple of 4.
 * @example hashBytesChain([new TextEncoder().encode('abcdefgh')], 4).length; // 2
 */
export function hashBytesChain(
  parts: readonly Uint8Array[],
  blockBytes: number,
  seed: ChainHash = chainRoot,
): Float64Array {
  if (!Number.isInteger(blockBytes) || blockBytes <= 0 || blockBytes % 4 !== 0) {
    throw new RangeError(`blockBytes must be a positive multiple of 4, not ${blockBytes}`);
  }
  let totalBytes = 0;
  for (const part of parts) totalBytes += part.length;
  const hashes = new Float64Array(Math.floor(totalBytes / blockBytes));
  const blockWords = blockBytes >>> 2;
  let low = lowLane(seed);
  let high = highLane(seed);
  let block = 0;
  let wordsLeft = blockWords;
  // Bytes of a word that is split by the end of a part.
  let word = 0;
  let wordBits = 0;
  for (const part of parts) {
    const end = part.length;
    // One load per word instead of four: twice as fast on long prompts.
    const view = new DataView(part.buffer, part.byteOffset, end);
    let at = 0;
    while (at < end && block < hashes.length) {
      if (wordBits === 0 && end - at >= 4) {
        const runEnd = at + 4 * Math.min(wordsLeft, (end - at) >>> 2);
        wordsLeft -= (runEnd - at) >>> 2;
        for (; at < runEnd; at += 4) {
          word = view.getInt32(at, true);
          low = (Math.imul(rotateLeft(low ^ scrambleLow(word), 19) + high, 5) + 0x561ccd1b) | 0;
          high = (Math.imul(rotateLeft(high ^ scrambleHigh(word), 17) + low, 5) + 0x0bcaa747) | 0;
        }
        word = 0;
      } else {
        word |= (part[at++] as number) << wordBits;
        wordBits += 8;
        if (wordBits < 32) continue;
        wordBits = 0;
        low = (Math.imul(rotateLeft(low ^ scrambleLow(word), 19) + high, 5) + 0x561ccd1b) | 0;
        high = (Math.imul(rotateLeft(high ^ scrambleHigh(word), 17) + low, 5) + 0x0bcaa747) | 0;
        word = 0;
        wordsLeft--;
      }
      if (wordsLeft === 0) {
        const hash = finish(low, high);
        hashes[block++] = hash;
        low = lowLane(hash);
        high = highLane(hash);
        wordsLeft = blockWords;
      }
    }
  }
  return hashes;
}

/**
 * Names every full block of a prompt.
 *
 * @param tokens Token ids; each counts as 32 bits.
 * @param blockTokens The engine's block length in tokens.
 * @param seed Parent of the first block: `chainRoot`, a scope, or the block that these follow.
 * @returns Shape [floor(tokens.length / blockTokens)]; entry i stands for blocks 0..i.
 * @throws {RangeError} If `blockTokens` is not a positive integer.
 * @example hashTokenChain([1, 2, 3, 4, 5], 2).length; // 2
 */
export function hashTokenChain(
  tokens: ArrayLike<number>,
  blockTokens: number,
  seed: ChainHash = chainRoot,
): Float64Array {
  if (!Number.isInteger(blockTokens) || blockTokens <= 0) {
    throw new RangeError(`blockTokens must be a positive integer, not ${blockTokens}`);
  }
  const hashes = new Float64Array(Math.floor(tokens.length / blockTokens));
  let parent = seed;
  for (let block = 0; block < hashes.length; block++) {
    parent = hashTokenBlock(parent, tokens, block * blockTokens, (block + 1) * blockTokens);
    hashes[block] = parent;
  }
  return hashes;
}

/** Names one block: `tokens[from, to)` after `parent`. */
export function hashTokenBlock(
  parent: ChainHash,
  tokens: ArrayLike<number>,
  from: number,
  to: number,
): ChainHash {
  let low = lowLane(parent);
  let high = highLane(parent);
  for (let i = from; i < to; i++) {
    const word = tokens[i] as number;
    low = (Math.imul(rotateLeft(low ^ scrambleLow(word), 19) + high, 5) + 0x561ccd1b) | 0;
    high = (Math.imul(rotateLeft(high ^ scrambleHigh(word), 17) + low, 5) + 0x0bcaa747) | 0;
  }
  return finish(low, high);
}

// Two 32-bit lanes with the round, finaliser and constants of MurmurHash3_x86_128 (public domain,
// https://github.com/aappleby/smhasher). Both lanes take every word, each with its own multipliers,
// so 64 bits of state are carried inside a block and 53 between blocks.

function rotateLeft(value: number, bits: number): number {
  return (value << bits) | (value >>> (32 - bits));
}

function scrambleLow(word: number): number {
  return Math.imul(rotateLeft(Math.imul(word, 0x239b961b), 15), 0xab0e9789);
}

function scrambleHigh(word: number): number {
  return Math.imul(rotateLeft(Math.imul(word, 0xab0e9789), 16), 0x38b34ae5);
}

function avalanche(value: number): number {
  let mixed = value ^ (value >>> 16);
  mixed = Math.imul(mixed, 0x85ebca6b);
  mixed ^= mixed >>> 13;
  mixed = Math.imul(mixed, 0xc2b2ae35);
  return mixed ^ (mixed >>> 16);
}

/** 53 bits of both lanes; never 0, so that a table may use 0 for an empty slot. */
function finish(low: number, high: number): ChainHash {
  const first = avalanche((low + high) | 0);
  const second = avalanche((high + first) | 0);
  return (second >>> 11) * 0x1_0000_0000 + (first >>> 0) || 1;
}

function lowLane(hash: ChainHash): number {
  return hash | 0;
}

/** Multiplying is exact and faster than dividing. */
const twoToMinus32 = 1 / 0x1_0000_0000;

function highLane(hash: ChainHash): number {
  return (hash * twoToMinus32) | 0;
}
