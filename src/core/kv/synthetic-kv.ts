// Bytes that stand for KV cache: they follow from the name of a block or chunk, so that every byte that is loaded can be
// checked without keeping it.

/** The bytes of one value, of any length. */
export interface SyntheticKv {
  /** Writes those from `offset` on. */
  fill(target: Uint8Array, offset: number): void;
  /** Whether `bytes` are those from `offset` on. */
  matches(bytes: Uint8Array, offset: number): boolean;
}

/**
 * @example
 * const bytes = new Uint8Array(1024);
 * syntheticKv('chunk 7').fill(bytes, 0);
 * syntheticKv('chunk 7').matches(bytes, 0); // true
 */
export function syntheticKv(name: string): SyntheticKv {
  const [low, high] = seedsOf(name);
  return {
    fill(target, offset) {
      const { head, words, tail } = partsOf(target, offset);
      for (let i = 0; i < head; i++) target[i] = byteAt(offset + i, low, high);
      const first = (offset + head) / 4;
      for (let i = 0; i < words.length; i++) words[i] = wordAt(first + i, low, high);
      for (let i = tail; i < target.length; i++) target[i] = byteAt(offset + i, low, high);
    },
    matches(bytes, offset) {
      const { head, words, tail } = partsOf(bytes, offset);
      for (let i = 0; i < head; i++) if (bytes[i] !== byteAt(offset + i, low, high)) return false;
      const first = (offset + head) / 4;
      for (let i = 0; i < words.length; i++) {
        if (words[i] !== wordAt(first + i, low, high)) return false;
      }
      for (let i = tail; i < bytes.length; i++) {
        if (bytes[i] !== byteAt(offset + i, low, high)) return false;
      }
      return true;
    },
  };
}

/** Whole words of the value between bytes; a word at a time is ten times as fast. Memory that is not aligned has none. */
function partsOf(bytes: Uint8Array, offset: number) {
  const head = Math.min(bytes.length, (4 - (offset % 4)) % 4);
  const start = bytes.byteOffset + head;
  const words = start % 4 === 0 ? (bytes.length - head) >> 2 : 0;
  return {
    head,
    words: new Int32Array(bytes.buffer, start - (start % 4), words),
    tail: head + 4 * words,
  };
}

function byteAt(at: number, low: number, high: number): number {
  return (wordAt(Math.floor(at / 4), low, high) >>> (8 * (at % 4))) & 0xff;
}

/** The finalizer of MurmurHash3: neighbours differ in half of their bits. */
function wordAt(index: number, low: number, high: number): number {
  let x = index ^ low;
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  return x ^ (x >>> 16) ^ high;
}

/** Two words of FNV-1a. */
function seedsOf(name: string): readonly [number, number] {
  let low = 0x811c9dc5 | 0;
  let high = 0x9747b28c | 0;
  for (let i = 0; i < name.length; i++) {
    low = Math.imul(low ^ name.charCodeAt(i), 0x01000193);
    high = Math.imul(high ^ name.charCodeAt(i) ^ (low >>> 15), 0x01000193);
  }
  return [low, high];
}
