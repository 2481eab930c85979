// The blocks of a pool by their cache keys, in lists on typed arrays. A simulation caches, looks up and drops
// millions of blocks, and a Map that loses as many keys as it gains is rebuilt again and again.
import type { BlockKey } from './block-key.ts';

/** No block: block 0 is never cached. */
const none = 0;
/** Consecutive keys, which are looked up one after the other, share this many consecutive buckets. */
const rowBits = 3;

/**
 * Several blocks may have the same key; a lookup finds the one that has had it longest.
 *
 * Numeric keys, which simulations use, are hashed into buckets; each other key has its own bucket. A bucket is
 * a circular list of blocks, oldest first.
 */
export class CachedBlocks {
  readonly #keys: (BlockKey | undefined)[];
  readonly #next: Int32Array;
  readonly #previous: Int32Array;
  /** First block of each bucket; the number of buckets is a power of two, at least twice that of blocks. */
  readonly #buckets: Int32Array;
  readonly #rowShift: number;
  readonly #others = new Map<BlockKey, number>();

  constructor(blocksTotal: number) {
    this.#keys = new Array<BlockKey | undefined>(blocksTotal).fill(undefined);
    this.#next = new Int32Array(blocksTotal);
    this.#previous = new Int32Array(blocksTotal);
    const bucketBits = Math.max(rowBits + 1, Math.ceil(Math.log2(2 * blocksTotal)));
    this.#buckets = new Int32Array(2 ** bucketBits).fill(none);
    this.#rowShift = 32 - (bucketBits - rowBits);
  }

  /** The key under which the block is cached, if it is. */
  keyOf(block: number): BlockKey | undefined {
    return this.#keys[block];
  }

  /** Whether the block is cached. */
  has(block: number): boolean {
    return this.#keys[block] !== undefined;
  }

  /** The block that has had the key longest; undefined if none has it. */
  get(key: BlockKey): number | undefined {
    const first = this.#firstOf(key);
    if (first === none) return undefined;
    let block = first;
    do {
      if (this.#keys[block] === key) return block;
      block = this.#next[block] as number;
    } while (block !== first);
    return undefined;
  }

  /** @param block A block that is not cached. */
  add(key: BlockKey, block: number): void {
    this.#keys[block] = key;
    const first = this.#firstOf(key);
    if (first === none) {
      this.#setFirst(key, block);
      this.#link(block, block);
    } else {
      this.#link(this.#previous[first] as number, block);
      this.#link(block, first);
    }
  }

  /**
   * @param block A cached block.
   * @returns Whether a lookup of its key finds another block from now on.
   */
  delete(block: number): boolean {
    const key = this.#keys[block] as BlockKey;
    const next = this.#next[block] as number;
    if (next === block) {
      this.#keys[block] = undefined;
      this.#setFirst(key, none);
      return false;
    }
    const wasFound = this.get(key) === block;
    this.#keys[block] = undefined;
    this.#link(this.#previous[block] as number, next);
    if (this.#firstOf(key) === block) this.#setFirst(key, next);
    return wasFound && this.get(key) !== undefined;
  }

  clear(): void {
    this.#keys.fill(undefined);
    this.#buckets.fill(none);
    this.#others.clear();
  }

  #link(block: number, next: number): void {
    this.#next[block] = next;
    this.#previous[next] = block;
  }

  #firstOf(key: BlockKey): number {
    if (typeof key !== 'number') return this.#others.get(key) ?? none;
    return this.#buckets[this.#bucketOf(key)] as number;
  }

  #setFirst(key: BlockKey, block: number): void {
    if (typeof key === 'number') this.#buckets[this.#bucketOf(key)] = block;
    else if (block === none) this.#others.delete(key);
    else this.#others.set(key, block);
  }

  /** Knuth's multiplicative hash of the row, whose high bits spread runs of numbers evenly. */
  #bucketOf(key: number): number {
    const low = key | 0;
    // Most keys fit in 32 bits: no division then.
    const mixed = low === key ? low : low ^ Math.imul(Math.floor(key / 2 ** 32), 0x85ebca6b);
    const row = Math.imul(mixed >> rowBits, 0x9e3779b1) >>> this.#rowShift;
    return (row << rowBits) | (mixed & ((1 << rowBits) - 1));
  }
}
