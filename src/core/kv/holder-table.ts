// Which holders have which block: one bit per holder and block, in flat arrays.
import type { ChainHash } from './chain-hash.ts';

const firstSlots = 1024;
/** Blocks looked up per batch of a match: twice the number of cache misses that a core can have in flight. */
const batchBlocks = 32;
/** Multiplying is exact and faster than dividing. */
const twoToMinus32 = 1 / 0x1_0000_0000;

/**
 * A hash table from block hashes to sets of holders. Holders are small integers; the table widens as they
 * grow. Blocks without a holder are removed.
 */
export class HolderTable {
  readonly blocksMax: number;
  /**
   * One row per slot, so that a lookup costs one cache line: the two halves of the block's hash (both
   * 0 in an empty slot, as a hash is never 0), then its holders, 32 to a word.
   */
  #rows = new Uint32Array(firstSlots * 3);
  #words = 1;
  #mask = firstSlots - 1;
  #size = 0;
  /** Rows of the next batch of blocks of a match. */
  readonly #batch = new Int32Array(batchBlocks);

  /** @param blocksMax Maximum number of blocks; further ones are refused. */
  constructor(blocksMax: number) {
    this.blocksMax = blocksMax;
  }

  /** Number of blocks with at least one holder. */
  get size(): number {
    return this.#size;
  }

  /** Memory of the arrays. */
  get bytes(): number {
    return this.#rows.byteLength;
  }

  has(hash: ChainHash, holder: number): boolean {
    const row = this.#find(hash);
    if (row < 0 || holder >>> 5 >= this.#words) return false;
    return (((this.#rows[row + 2 + (holder >>> 5)] as number) >>> (holder & 31)) & 1) === 1;
  }

  /** @returns False, changing nothing, if the block is new and the table is full. */
  add(hash: ChainHash, holder: number): boolean {
    while (holder >>> 5 >= this.#words) this.#rebuild(this.#mask + 1, this.#words * 2);
    let row = this.#find(hash);
    if (row < 0) {
      if (this.#size >= this.blocksMax) return false;
      // At most half full, so that a miss ends after 2.5 slots on average; misses are common.
      if (this.#size * 2 >= this.#mask + 1) this.#rebuild((this.#mask + 1) * 2, this.#words);
      row = ~this.#find(hash);
      this.#rows[row] = hash;
      this.#rows[row + 1] = hash / 0x1_0000_0000;
      this.#size += 1;
    }
    const at = row + 2 + (holder >>> 5);
    this.#rows[at] = (this.#rows[at] as number) | (1 << (holder & 31));
    return true;
  }

  remove(hash: ChainHash, holder: number): void {
    const row = this.#find(hash);
    if (row < 0 || holder >>> 5 >= this.#words) return;
    const rows = this.#rows;
    const at = row + 2 + (holder >>> 5);
    rows[at] = (rows[at] as number) & ~(1 << (holder & 31));
    for (let word = 0; word < this.#words; word++) if (rows[row + 2 + word] !== 0) return;
    this.#delete(row);
  }

  /**
   * Counts, for each holder, the leading blocks of a chain that it has.
   *
   * @param chain Block hashes, first block first.
   * @param holders Shape [n], without repetition; negative ones have no blocks.
   * @param others Further tables; a block also counts if the holder has it in one of them.
   * @returns Shape [n], aligned with `holders`.
   */
  countPrefix(
    chain: Float64Array,
    holders: readonly number[],
    others: readonly HolderTable[] = [],
  ): Int32Array {
    const words = others.reduce((most, table) => Math.max(most, table.#words), this.#words);
    const isAlone = others.length === 0;
    const rows = this.#rows;
    const alive = new Uint32Array(words);
    const counts = new Int32Array(holders.length);
    /** Index of each holder in the result. */
    const places = new Int32Array(words * 32);
    holders.forEach((holder, place) => {
      if (holder < 0 || holder >>> 5 >= words) return;
      alive[holder >>> 5] = (alive[holder >>> 5] as number) | (1 << (holder & 31));
      places[holder] = place;
    });
    const leave = (word: number, bits: number, blocks: number): void => {
      for (let rest = bits; rest !== 0; rest &= rest - 1) {
        counts[places[word * 32 + 31 - Math.clz32(rest & -rest)] as number] = blocks;
      }
    };
    const inAny = (block: number, word: number): number => {
      let held = this.#batchHolders(block, word);
      for (const table of others) held |= table.#batchHolders(block, word);
      return held;
    };
    let block = 0;
    for (; block < chain.length; block++) {
      if (block % batchBlocks === 0) {
        this.#findBatch(chain, block);
        for (const table of others) table.#findBatch(chain, block);
      }
      const row = this.#batch[block % batchBlocks] as number;
      if (row < 0 && isAlone) break;
      let left = 0;
      for (let word = 0; word < words; word++) {
        const before = alive[word] as number;
        const held = isAlone ? (rows[row + 2 + word] as number) : inAny(block, word);
        const now = (before & held) >>> 0;
        left |= now;
        if (now === before) continue;
        leave(word, before & ~now, block);
        alive[word] = now;
      }
      if (left === 0) return counts;
    }
    for (let word = 0; word < words; word++) leave(word, alive[word] as number, block);
    return counts;
  }

  /** A word of the holders of a block of the last batch. */
  #batchHolders(block: number, word: number): number {
    const row = this.#batch[block % batchBlocks] as number;
    return row < 0 || word >= this.#words ? 0 : (this.#rows[row + 2 + word] as number);
  }

  /**
   * Finds the rows of the next blocks. The reads of the first loop are independent, so the processor waits for
   * all of them at once; the second loop then finds most rows in the cache.
   */
  #findBatch(chain: Float64Array, from: number): void {
    const rows = this.#rows;
    const batch = this.#batch;
    const mask = this.#mask;
    const stride = 2 + this.#words;
    const count = Math.min(batchBlocks, chain.length - from);
    for (let i = 0; i < count; i++) {
      const low = (chain[from + i] as number) | 0;
      const row = (low & mask) * stride;
      batch[i] = ((rows[row] as number) ^ low) === 0 ? row : -1;
    }
    for (let i = 0; i < count; i++) {
      const hash = chain[from + i] as number;
      const row = batch[i] as number;
      const high = (hash * twoToMinus32) | 0;
      if (row < 0 || ((rows[row + 1] as number) | 0) !== high) batch[i] = this.#find(hash);
    }
  }

  /** Offset of the block's row, or the complement of the offset where it would be inserted. */
  #find(hash: ChainHash): number {
    const rows = this.#rows;
    const stride = 2 + this.#words;
    const low = (hash | 0) >>> 0;
    const high = ((hash * twoToMinus32) | 0) >>> 0;
    for (let slot = low & this.#mask; ; slot = (slot + 1) & this.#mask) {
      const row = slot * stride;
      const rowLow = rows[row];
      const rowHigh = rows[row + 1];
      if (rowLow === low && rowHigh === high) return row;
      if (rowLow === 0 && rowHigh === 0) return ~row;
    }
  }

  /** Empties a row; blocks that it had displaced move back, so there are no tombstones. */
  #delete(row: number): void {
    const rows = this.#rows;
    const stride = 2 + this.#words;
    let hole = row / stride;
    this.#size -= 1;
    for (let next = (hole + 1) & this.#mask; ; next = (next + 1) & this.#mask) {
      const low = rows[next * stride] as number;
      if (low === 0 && rows[next * stride + 1] === 0) break;
      const home = low & this.#mask;
      // A block may move back only if its home does not lie between the hole and itself.
      if (((next - home) & this.#mask) < ((next - hole) & this.#mask)) continue;
      rows.copyWithin(hole * stride, next * stride, (next + 1) * stride);
      hole = next;
    }
    rows.fill(0, hole * stride, (hole + 1) * stride);
  }

  /** Moves all rows into a table of another size. */
  #rebuild(slots: number, words: number): void {
    const old = this.#rows;
    const oldStride = 2 + this.#words;
    this.#rows = new Uint32Array(slots * (2 + words));
    this.#words = words;
    this.#mask = slots - 1;
    for (let from = 0; from < old.length; from += oldStride) {
      const hash = (old[from] as number) + (old[from + 1] as number) * 0x1_0000_0000;
      if (hash === 0) continue;
      const to = ~this.#find(hash);
      for (let i = 0; i < oldStride; i++) this.#rows[to + i] = old[from + i] as number;
    }
  }
}
