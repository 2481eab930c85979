// Which holders have which block: one bit per holder and block, in flat arrays.
import type { ChainHash } from './chain-hash.ts';

const firstSlots = 1024;

/**
 * A hash table from block hashes to sets of holders. Holders are small integers; the table widens
 * by itself as they grow. A block without a holder leaves the table.
 */
export class HolderTable {
  readonly blocksMax: number;
  /** 0 marks an empty slot; a block hash is never 0. */
  #keys = new Float64Array(firstSlots);
  /** Row-major: `#words` words per slot. */
  #bits: Uint32Array;
  #words = 1;
  #mask = firstSlots - 1;
  #size = 0;

  /** @param blocksMax Blocks past this many are refused. */
  constructor(blocksMax: number) {
    this.blocksMax = blocksMax;
    this.#bits = new Uint32Array(firstSlots);
  }

  /** Blocks with at least one holder. */
  get size(): number {
    return this.#size;
  }

  /** Memory of the arrays. */
  get bytes(): number {
    return this.#keys.byteLength + this.#bits.byteLength;
  }

  has(hash: ChainHash, holder: number): boolean {
    const slot = this.#find(hash);
    if (slot < 0 || holder >>> 5 >= this.#words) return false;
    return ((this.#row(slot, holder >>> 5) >>> (holder & 31)) & 1) === 1;
  }

  /** @returns False, changing nothing, if the block is new and the table is full. */
  add(hash: ChainHash, holder: number): boolean {
    while (holder >>> 5 >= this.#words) this.#widen();
    let slot = this.#find(hash);
    if (slot < 0) {
      if (this.#size >= this.blocksMax) return false;
      // At most half full: a miss then ends after 2.5 slots on average, and misses are common.
      if (this.#size * 2 >= this.#mask + 1) this.#resize((this.#mask + 1) * 2);
      slot = ~this.#find(hash);
      this.#keys[slot] = hash;
      this.#size += 1;
    }
    const at = slot * this.#words + (holder >>> 5);
    this.#bits[at] = (this.#bits[at] as number) | (1 << (holder & 31));
    return true;
  }

  remove(hash: ChainHash, holder: number): void {
    const slot = this.#find(hash);
    if (slot < 0 || holder >>> 5 >= this.#words) return;
    const at = slot * this.#words + (holder >>> 5);
    this.#bits[at] = (this.#bits[at] as number) & ~(1 << (holder & 31));
    for (let word = 0; word < this.#words; word++) if (this.#row(slot, word) !== 0) return;
    this.#delete(slot);
  }

  /**
   * For each holder, how many blocks of a chain it has before the first that it lacks.
   *
   * @param chain Block hashes, first block first.
   * @param holders Shape [n]; only these are looked at.
   * @param counts Shape [n], aligned with `holders`; receives the answer.
   */
  countPrefix(chain: Float64Array, holders: ArrayLike<number>, counts: Int32Array): void {
    const words = this.#words;
    const alive = new Uint32Array(words);
    const positions = new Map<number, number[]>();
    counts.fill(0);
    for (let i = 0; i < holders.length; i++) {
      const holder = holders[i] as number;
      if (holder < 0 || holder >>> 5 >= words) continue;
      const word = holder >>> 5;
      alive[word] = (alive[word] as number) | (1 << (holder & 31));
      positions.set(holder, [...(positions.get(holder) ?? []), i]);
    }
    const leave = (word: number, bits: number, blocks: number): void => {
      for (let rest = bits; rest !== 0; rest &= rest - 1) {
        const holder = word * 32 + 31 - Math.clz32(rest & -rest);
        for (const i of positions.get(holder) ?? []) counts[i] = blocks;
      }
    };
    let block = 0;
    for (; block < chain.length; block++) {
      const slot = this.#find(chain[block] as number);
      if (slot < 0) break;
      let left = 0;
      for (let word = 0; word < words; word++) {
        const before = alive[word] as number;
        const now = (before & this.#row(slot, word)) >>> 0;
        left |= now;
        if (now === before) continue;
        leave(word, before & ~now, block);
        alive[word] = now;
      }
      if (left === 0) return;
    }
    for (let word = 0; word < words; word++) leave(word, alive[word] as number, block);
  }

  #row(slot: number, word: number): number {
    return this.#bits[slot * this.#words + word] as number;
  }

  /** The block's slot, or the complement of the empty slot where it would go. */
  #find(hash: ChainHash): number {
    const keys = this.#keys;
    const mask = this.#mask;
    for (let slot = (hash | 0) & mask; ; slot = (slot + 1) & mask) {
      const key = keys[slot];
      if (key === hash) return slot;
      if (key === 0) return ~slot;
    }
  }

  /** Empties a slot; blocks that it had displaced move back, so no tombstones stay. */
  #delete(slot: number): void {
    const words = this.#words;
    let hole = slot;
    this.#size -= 1;
    for (let next = (hole + 1) & this.#mask; ; next = (next + 1) & this.#mask) {
      const key = this.#keys[next] as number;
      if (key === 0) break;
      const home = (key | 0) & this.#mask;
      // A block may move back only if its home does not lie between the hole and itself.
      if (((next - home) & this.#mask) < ((next - hole) & this.#mask)) continue;
      this.#keys[hole] = key;
      this.#bits.copyWithin(hole * words, next * words, (next + 1) * words);
      hole = next;
    }
    this.#keys[hole] = 0;
    this.#bits.fill(0, hole * words, (hole + 1) * words);
  }

  #resize(slots: number): void {
    const [keys, bits, words] = [this.#keys, this.#bits, this.#words];
    this.#keys = new Float64Array(slots);
    this.#bits = new Uint32Array(slots * words);
    this.#mask = slots - 1;
    for (let old = 0; old < keys.length; old++) {
      const key = keys[old] as number;
      if (key === 0) continue;
      const slot = ~this.#find(key);
      this.#keys[slot] = key;
      for (let word = 0; word < words; word++) {
        this.#bits[slot * words + word] = bits[old * words + word] as number;
      }
    }
  }

  #widen(): void {
    const [bits, words] = [this.#bits, this.#words];
    this.#words = words * 2;
    this.#bits = new Uint32Array(this.#keys.length * this.#words);
    for (let slot = 0; slot < this.#keys.length; slot++) {
      for (let word = 0; word < words; word++) {
        this.#bits[slot * this.#words + word] = bits[slot * words + word] as number;
      }
    }
  }
}
