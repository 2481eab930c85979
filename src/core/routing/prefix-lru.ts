// The blocks that one engine is believed to have cached: a bounded LRU over chained block hashes,
// on typed arrays, because every pick reads one of these per engine.

/** Marks the absence of a node. */
const none = -1;
const initialNodes = 256;

/**
 * Remembers prefixes as chains of block hashes, in which entry i stands for blocks 0..i.
 *
 * A chain is touched from its tail to its head, so a block is never older than any block after it:
 * eviction takes chains from their tails, as vLLM's free list does, and what is held of a chain
 * is always a prefix of it. That makes `leadingBlocks` a binary search.
 *
 * When full, the least recently touched block leaves. Memory grows with use: 28 bytes per block at
 * load factor 1/2, up to `blocksMax`.
 */
export class PrefixLru {
  #blocksMax: number;
  #size = 0;
  /** Open addressing with linear probing; a slot holds a node number. Length is a power of two. */
  #slots = new Int32Array(2 * initialNodes).fill(none);
  /** Per node: its hash, and its neighbours in age. */
  #hashes = new Float64Array(initialNodes);
  #younger = new Int32Array(initialNodes);
  #older = new Int32Array(initialNodes);
  #youngest = none;
  #oldest = none;
  /** Unused nodes below `#nodesUsed`, linked through `#older`. */
  #free = none;
  #nodesUsed = 0;

  constructor(options: { readonly blocksMax: number }) {
    this.#blocksMax = Math.max(1, Math.floor(options.blocksMax));
  }

  get size(): number {
    return this.#size;
  }

  get blocksMax(): number {
    return this.#blocksMax;
  }

  /** Changes the bound; what no longer fits leaves, oldest first. */
  setBlocksMax(blocksMax: number): void {
    this.#blocksMax = Math.max(1, Math.floor(blocksMax));
    while (this.#size > this.#blocksMax) this.#remove(this.#oldest);
  }

  /**
   * How many blocks of the chain, from its head, are held. Ages stay as they are.
   *
   * @param guess What the answer may be; if it is, only two blocks are looked for.
   */
  leadingBlocks(chain: Float64Array, guess = 1): number {
    const length = chain.length;
    let held = 1;
    if (guess > 1 && guess <= length && this.#find(chain[guess - 1] as number) !== none) {
      held = guess;
    } else if (length === 0 || this.#find(chain[0] as number) === none) return 0;
    // Doubling steps first: most chains are held nearly whole or hardly at all.
    let step = 1;
    while (held < length) {
      const next = Math.min(held + step, length);
      if (this.#find(chain[next - 1] as number) === none) {
        let missing = next;
        while (missing - held > 1) {
          const middle = (held + missing) >>> 1;
          if (this.#find(chain[middle - 1] as number) === none) missing = middle;
          else held = middle;
        }
        return held;
      }
      held = next;
      step *= 2;
    }
    return held;
  }

  /** Makes the chain's blocks the youngest, adding those that are missing. */
  touch(chain: Float64Array): void {
    for (let i = Math.min(chain.length, this.#blocksMax) - 1; i >= 0; i--) {
      const hash = chain[i] as number;
      const node = this.#find(hash);
      if (node === none) {
        if (this.#size === this.#blocksMax) this.#remove(this.#oldest);
        this.#insert(hash);
      } else if (node !== this.#youngest) {
        this.#unlink(node);
        this.#linkYoungest(node);
      }
    }
  }

  /** Forgets the chain's blocks from index `fromBlock` on. */
  forget(chain: Float64Array, fromBlock: number): void {
    for (let i = chain.length - 1; i >= fromBlock; i--) {
      const node = this.#find(chain[i] as number);
      if (node !== none) this.#remove(node);
    }
  }

  #find(hash: number): number {
    const slots = this.#slots;
    const mask = slots.length - 1;
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const node = slots[slot] as number;
      if (node === none || this.#hashes[node] === hash) return node;
    }
  }

  #insert(hash: number): void {
    let node = this.#free;
    if (node !== none) this.#free = this.#older[node] as number;
    else {
      if (this.#nodesUsed === this.#hashes.length) this.#grow();
      node = this.#nodesUsed++;
    }
    this.#hashes[node] = hash;
    this.#size += 1;
    this.#linkYoungest(node);
    this.#place(node);
  }

  #place(node: number): void {
    const mask = this.#slots.length - 1;
    let slot = (this.#hashes[node] as number) & mask;
    while (this.#slots[slot] !== none) slot = (slot + 1) & mask;
    this.#slots[slot] = node;
  }

  #remove(node: number): void {
    this.#unlink(node);
    this.#clearSlotOf(node);
    this.#older[node] = this.#free;
    this.#free = node;
    this.#size -= 1;
  }

  /** Empties the node's slot and moves later ones of its run back, so that no probe stops short. */
  #clearSlotOf(node: number): void {
    const slots = this.#slots;
    const mask = slots.length - 1;
    let hole = (this.#hashes[node] as number) & mask;
    while (slots[hole] !== node) hole = (hole + 1) & mask;
    for (let slot = (hole + 1) & mask; slots[slot] !== none; slot = (slot + 1) & mask) {
      const home = (this.#hashes[slots[slot] as number] as number) & mask;
      // A node may move back to the hole only if that is not before its home.
      if (((slot - home) & mask) >= ((slot - hole) & mask)) {
        slots[hole] = slots[slot] as number;
        hole = slot;
      }
    }
    slots[hole] = none;
  }

  #linkYoungest(node: number): void {
    this.#older[node] = this.#youngest;
    this.#younger[node] = none;
    if (this.#youngest === none) this.#oldest = node;
    else this.#younger[this.#youngest] = node;
    this.#youngest = node;
  }

  #unlink(node: number): void {
    const younger = this.#younger[node] as number;
    const older = this.#older[node] as number;
    if (younger === none) this.#youngest = older;
    else this.#older[younger] = older;
    if (older === none) this.#oldest = younger;
    else this.#younger[older] = younger;
  }

  #grow(): void {
    const nodes = this.#hashes.length * 2;
    this.#hashes = enlarge(this.#hashes, new Float64Array(nodes));
    this.#younger = enlarge(this.#younger, new Int32Array(nodes));
    this.#older = enlarge(this.#older, new Int32Array(nodes));
    this.#slots = new Int32Array(2 * nodes).fill(none);
    for (let node = this.#youngest; node !== none; node = this.#older[node] as number) {
      this.#place(node);
    }
  }
}

function enlarge<T extends Float64Array | Int32Array>(from: T, to: T): T {
  to.set(from);
  return to;
}
