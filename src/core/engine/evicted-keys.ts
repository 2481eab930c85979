// A set of block keys. The keys of one prompt come one after the other, and in a simulation they are
// consecutive numbers, so 32 of them share one entry: a set with an entry per key took a quarter of a
// simulation's time.
import type { BlockKey } from '../kv/index.ts';

/** Consecutive numbers per entry, the bits of a word. */
const rowKeys = 32;

/** Numeric keys must be safe integers. The caller bounds the number of keys. */
export class EvictedKeys {
  #size = 0;
  readonly #rows = new Map<number, number>();
  readonly #others = new Set<BlockKey>();
  /** The row used last, whose bits are newer than those in `#rows`. */
  #row = Number.NaN;
  #bits = 0;

  /** Number of keys. */
  get size(): number {
    return this.#size;
  }

  add(key: BlockKey): void {
    if (typeof key !== 'number') {
      if (this.#others.has(key)) return;
      this.#others.add(key);
      this.#size++;
      return;
    }
    this.#open(Math.floor(key / rowKeys));
    const bit = 1 << (key & (rowKeys - 1));
    if ((this.#bits & bit) !== 0) return;
    this.#bits |= bit;
    this.#size++;
  }

  has(key: BlockKey): boolean {
    if (this.#size === 0) return false;
    if (typeof key !== 'number') return this.#others.has(key);
    this.#open(Math.floor(key / rowKeys));
    return (this.#bits & (1 << (key & (rowKeys - 1)))) !== 0;
  }

  #open(row: number): void {
    if (row === this.#row) return;
    if (this.#bits !== 0) this.#rows.set(this.#row, this.#bits);
    this.#row = row;
    this.#bits = this.#rows.get(row) ?? 0;
  }
}
