// Finds whole words of a vocabulary by their bytes: an open-addressing table of token ids.
import type { Vocabulary } from './vocabulary.ts';

/** For models that use a word of the vocabulary without merging (`ignore_merges`). */
export class WordTable {
  readonly #slots: Int32Array;
  readonly #vocabulary: Vocabulary;

  /** @param slots Result of `wordSlots` for the same vocabulary. */
  constructor(slots: Int32Array, vocabulary: Vocabulary) {
    this.#slots = slots;
    this.#vocabulary = vocabulary;
  }

  /** Returns the id of the token with these bytes; undefined if there is none. */
  find(bytes: Uint8Array): number | undefined {
    const mask = this.#slots.length - 1;
    let slot = hashBytes(bytes) & mask;
    for (;;) {
      const id = this.#slots[slot] as number;
      if (id === -1) return undefined;
      if (equalBytes(this.#vocabulary.bytes(id), bytes)) return id;
      slot = (slot + 1) & mask;
    }
  }
}

/** Shape [slots], a power of two: ids by the hash of their bytes, -1 if empty. */
export function wordSlots(ids: readonly number[], vocabulary: Vocabulary): Int32Array {
  const slots = new Int32Array(2 ** Math.ceil(Math.log2(Math.max(4, ids.length * 1.6)))).fill(-1);
  for (const id of ids) {
    let slot = hashBytes(vocabulary.bytes(id)) & (slots.length - 1);
    while (slots[slot] !== -1) slot = (slot + 1) & (slots.length - 1);
    slots[slot] = id;
  }
  return slots;
}

/** FNV-1a, 32 bits, with a final mix because only a few of its bits select the slot. */
function hashBytes(bytes: Uint8Array): number {
  let hash = 0x811c9dc5;
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193);
  return (hash ^ (hash >>> 15)) >>> 0;
}

function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
