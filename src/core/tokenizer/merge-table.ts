// Which two tokens merge into which, and how early: an open-addressing table on typed arrays.
// A Map with 151,000 entries costs four times the memory and a third more time per look-up.

/** What a merge table is made of; shapes [slots], a power of two, but `merged`: [rules]. */
export interface MergeArrays {
  /** Id of the left part; -1 in an empty slot. */
  readonly left: Int32Array;
  readonly right: Int32Array;
  readonly rank: Int32Array;
  /** By rank: the token that the rule makes. */
  readonly merged: Int32Array;
}

/** Merge rules of a byte-pair encoding, by the ids of the two parts. */
export class MergeTable {
  readonly arrays: MergeArrays;
  readonly #mask: number;
  readonly #left: Int32Array;
  readonly #right: Int32Array;
  readonly #rank: Int32Array;
  readonly #merged: Int32Array;

  /** @param from How many rules will be added at most, or the arrays of a table made before. */
  constructor(from: number | MergeArrays) {
    this.arrays = typeof from === 'number' ? emptyArrays(from) : from;
    const { left, right, rank, merged } = this.arrays;
    this.#mask = left.length - 1;
    this.#left = left;
    this.#right = right;
    this.#rank = rank;
    this.#merged = merged;
  }

  /** A pair that is added twice keeps the later rank, as in the reference. */
  add(left: number, right: number, rank: number, merged: number): void {
    const slot = this.#slot(left, right);
    this.#left[slot] = left;
    this.#right[slot] = right;
    this.#rank[slot] = rank;
    this.#merged[rank] = merged;
  }

  /** Rank of the rule, lower merges first; -1 if the pair does not merge. */
  rank(left: number, right: number): number {
    const slot = this.#slot(left, right);
    return this.#left[slot] === -1 ? -1 : (this.#rank[slot] as number);
  }

  /** Id of the token that the rule of this rank makes. */
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

/** At least 1.6 slots per rule, so that searches stay short. */
function emptyArrays(rulesMax: number): MergeArrays {
  const slots = 2 ** Math.ceil(Math.log2(Math.max(4, rulesMax * 1.6)));
  return {
    left: new Int32Array(slots).fill(-1),
    right: new Int32Array(slots),
    rank: new Int32Array(slots),
    merged: new Int32Array(rulesMax),
  };
}
