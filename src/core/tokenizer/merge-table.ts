// Stores which two tokens merge into which, and their rank: an open-addressing table on typed
// arrays. A Map with 151,000 entries takes four times the memory and a third more time per look-up.

/** The arrays of a merge table; shapes [slots], a power of two, except `merged`: [rules]. */
export interface MergeArrays {
  /** Id of the left part; -1 in an empty slot. */
  readonly left: Int32Array;
  readonly right: Int32Array;
  readonly rank: Int32Array;
  /** By rank: the token that the rule produces. */
  readonly merged: Int32Array;
}

/** The merge rules of a byte-pair encoding, by the ids of the two parts. */
export class MergeTable {
  readonly arrays: MergeArrays;
  readonly #mask: number;
  readonly #left: Int32Array;
  readonly #right: Int32Array;
  readonly #rank: Int32Array;
  readonly #merged: Int32Array;

  /** @param from Maximum number of rules that will be added, or the arrays of an existing table. */
  constructor(from: number | MergeArrays) {
    this.arrays = typeof from === 'number' ? emptyArrays(from) : from;
    const { left, right, rank, merged } = this.arrays;
    this.#mask = left.length - 1;
    this.#left = left;
    this.#right = right;
    this.#rank = rank;
    this.#merged = merged;
  }

  /** A pair that is added twice keeps the later rank, as in Hugging Face's tokenizers. */
  add(left: number, right: number, rank: number, merged: number): void {
    const slot = this.#slot(left, right);
    this.#left[slot] = left;
    this.#right[slot] = right;
    this.#rank[slot] = rank;
    this.#merged[rank] = merged;
  }

  /** Returns the rank of the rule, lower ranks merge first; -1 if the pair does not merge. */
  rank(left: number, right: number): number {
    const slot = this.#slot(left, right);
    return this.#left[slot] === -1 ? -1 : (this.#rank[slot] as number);
  }

  /** Returns the id of the token that the rule of this rank produces. */
  merged(rank: number): number {
    return this.#merged[rank] as number;
  }

  #slot(left: number, right: number): number {
    let slot = (Math.imul(left, 0x9e3779b1) ^ Math.imul(right, 0x85ebca6b)) >>> 0;
    slot = (slot ^ (slot >>> 15)) & this.#mask;
    while (this.#left[slot] !== -1 && (this.#left[slot] !== left || this.#right[slot] !== right)) {
      slot = (slot + 1) & this.#mask;
    }
    return slot;
  }
}

/** Creates at least 1.6 slots per rule, so that searches stay short. */
function emptyArrays(rulesMax: number): MergeArrays {
  const slots = 2 ** Math.ceil(Math.log2(Math.max(4, rulesMax * 1.6)));
  return {
    left: new Int32Array(slots).fill(-1),
    right: new Int32Array(slots),
    rank: new Int32Array(slots),
    merged: new Int32Array(rulesMax),
  };
}
