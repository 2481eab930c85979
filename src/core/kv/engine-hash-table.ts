// Maps an engine's own block hashes to ours, with reference counts, in flat arrays.
import type { ChainHash } from './chain-hash.ts';

const firstSlots = 64;
const absent = -1;

/**
 * A hash table from 64-bit engine hashes to our block hash and a reference count: 20 bytes per
 * slot, at most 3/4 full. A JavaScript Map of BigInts takes four times that and boxes every key.
 */
export class EngineHashTable {
  #high = new Uint32Array(firstSlots);
  #low = new Uint32Array(firstSlots);
  #hashes = new Float64Array(firstSlots);
  /** 0 marks an empty slot. */
  #counts = new Uint32Array(firstSlots);
  #mask = firstSlots - 1;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** Memory of the arrays. */
  get bytes(): number {
    return (this.#mask + 1) * 20;
  }

  /** Our hash of the block; 0 if it is not in the table. */
  hashOf(high: number, low: number): ChainHash {
    const slot = this.#find(high, low);
    return slot === absent ? 0 : (this.#hashes[slot] as number);
  }

  /** References to the block; 0 if it is not in the table. */
  countOf(high: number, low: number): number {
    const slot = this.#find(high, low);
    return slot === absent ? 0 : (this.#counts[slot] as number);
  }

  /** Sets or adds an entry. */
  set(high: number, low: number, hash: ChainHash, count: number): void {
    if (this.#size * 4 >= (this.#mask + 1) * 3) this.#resize((this.#mask + 1) * 2);
    let slot = this.#home(high, low);
    while (this.#counts[slot] !== 0 && !(this.#low[slot] === low && this.#high[slot] === high)) {
      slot = (slot + 1) & this.#mask;
    }
    if (this.#counts[slot] === 0) this.#size += 1;
    this.#high[slot] = high;
    this.#low[slot] = low;
    this.#hashes[slot] = hash;
    this.#counts[slot] = count;
  }

  /** Removes an entry; entries that it had displaced move back, so there are no tombstones. */
  delete(high: number, low: number): void {
    let hole = this.#find(high, low);
    if (hole === absent) return;
    this.#size -= 1;
    for (let next = (hole + 1) & this.#mask; ; next = (next + 1) & this.#mask) {
      if (this.#counts[next] === 0) break;
      const home = this.#home(this.#high[next] as number, this.#low[next] as number);
      // The entry may move back only if its home does not lie between the hole and itself.
      if (((next - home) & this.#mask) < ((next - hole) & this.#mask)) continue;
      this.#high[hole] = this.#high[next] as number;
      this.#low[hole] = this.#low[next] as number;
      this.#hashes[hole] = this.#hashes[next] as number;
      this.#counts[hole] = this.#counts[next] as number;
      hole = next;
    }
    this.#counts[hole] = 0;
  }

  /** Our hash of every entry. */
  *hashes(): IterableIterator<ChainHash> {
    for (let slot = 0; slot <= this.#mask; slot++) {
      if (this.#counts[slot] !== 0) yield this.#hashes[slot] as number;
    }
  }

  #find(high: number, low: number): number {
    for (let slot = this.#home(high, low); ; slot = (slot + 1) & this.#mask) {
      if (this.#counts[slot] === 0) return absent;
      if (this.#low[slot] === low && this.#high[slot] === high) return slot;
    }
  }

  /** Engine hashes are digests, but small integers of tests and old engines are spread too. */
  #home(high: number, low: number): number {
    const mixed = Math.imul(low ^ Math.imul(high, 0x85ebca6b), 0x9e3779b1);
    return (mixed ^ (mixed >>> 15)) & this.#mask;
  }

  #resize(slots: number): void {
    const [high, low, hashes, counts] = [this.#high, this.#low, this.#hashes, this.#counts];
    this.#high = new Uint32Array(slots);
    this.#low = new Uint32Array(slots);
    this.#hashes = new Float64Array(slots);
    this.#counts = new Uint32Array(slots);
    this.#mask = slots - 1;
    this.#size = 0;
    for (let slot = 0; slot < counts.length; slot++) {
      const count = counts[slot] as number;
      if (count === 0) continue;
      this.set(high[slot] as number, low[slot] as number, hashes[slot] as number, count);
    }
  }
}
