// The blocks that one engine is believed to have cached: a bounded LRU over chained block hashes,
// on typed arrays, because every pick reads one of these per engine.

/** Marks the absence of a run. */
const none = -1;
const initialRuns = 64;

/**
 * Remembers prefixes as chains of block hashes, in which entry i stands for blocks 0..i.
 *
 * A chain is touched from its tail to its head, so a block is never older than any block after it:
 * eviction takes chains from their tails, as vLLM's free list does, and what is held of a chain
 * is always a prefix of it.
 *
 * Blocks that were touched together lie together, as a run that is found by its first block: a prompt
 * of hundreds of blocks is a few runs, one for each prompt that it goes on from. A prompt that leaves
 * another's within a run splits it.
 *
 * When full, the least recently touched block leaves. Memory grows with use, up to `blocksMax`: 8
 * bytes a block, or 16 if half of its run has left; some 250 a run of several blocks, 36 a single one.
 */
export class PrefixLru {
  #blocksMax: number;
  #size = 0;
  /** Open addressing with linear probing; a slot holds a run's number. Length is a power of two. */
  #slots = new Int32Array(2 * initialRuns).fill(none);
  /** Per run: its first hash, all if there are more, how many are held, and its neighbours in age. */
  #first = new Float64Array(initialRuns);
  readonly #hashes: Float64Array[] = [];
  #lengths = new Int32Array(initialRuns);
  #younger = new Int32Array(initialRuns);
  #older = new Int32Array(initialRuns);
  #youngest = none;
  #oldest = none;
  /** Unused runs below `#runsUsed`, linked through `#older`. */
  #free = none;
  #runsUsed = 0;

  constructor(options: { readonly blocksMax: number }) {
    this.#blocksMax = Math.max(1, Math.floor(options.blocksMax));
  }

  /** Blocks held. */
  get size(): number {
    return this.#size;
  }

  get blocksMax(): number {
    return this.#blocksMax;
  }

  /** Changes the bound; what no longer fits leaves, oldest first. */
  setBlocksMax(blocksMax: number): void {
    this.#blocksMax = Math.max(1, Math.floor(blocksMax));
    this.#evict();
  }

  /** How many blocks of the chain, from its head, are held. Ages stay as they are. */
  leadingBlocks(chain: Float64Array): number {
    let held = 0;
    while (held < chain.length) {
      const run = this.#find(chain[held] as number);
      if (run === none) break;
      const shared = this.#shared(run, chain, held, chain.length);
      held += shared;
      if (shared < (this.#lengths[run] as number)) break;
    }
    return held;
  }

  /** Makes the chain's blocks the youngest, adding those that are missing. */
  touch(chain: Float64Array): void {
    const end = Math.min(chain.length, this.#blocksMax);
    const runs: number[] = [];
    for (let at = 0; at < end; ) {
      let run = this.#find(chain[at] as number);
      if (run === none) run = this.#insert(chain, at, end);
      else {
        const shared = this.#shared(run, chain, at, end);
        if (shared < (this.#lengths[run] as number)) this.#split(run, shared);
        this.#unlink(run);
      }
      runs.push(run);
      at += this.#lengths[run] as number;
    }
    for (let i = runs.length - 1; i >= 0; i--) this.#linkYoungest(runs[i] as number);
    this.#evict();
  }

  /** Of the run's blocks, how many lie in `chain[from, to)`, whose first is the run's. */
  #shared(run: number, chain: Float64Array, from: number, to: number): number {
    const hashes = this.#hashes[run] as Float64Array;
    const most = Math.min(this.#lengths[run] as number, to - from);
    if (most === 1 || hashes[most - 1] === chain[from + most - 1]) return most;
    // Chains that part never meet again.
    let [shared, parted] = [1, most];
    while (parted - shared > 1) {
      const middle = (shared + parted) >>> 1;
      if (hashes[middle - 1] === chain[from + middle - 1]) shared = middle;
      else parted = middle;
    }
    return shared;
  }

  /** Leaves the run its first blocks; the others become a run of their own, as old as they were. */
  #split(run: number, length: number): void {
    const hashes = this.#hashes[run] as Float64Array;
    const rest = this.#insert(hashes, length, this.#lengths[run] as number);
    this.#link(rest, this.#older[run] as number, run);
    this.#size -= this.#lengths[rest] as number;
    this.#hashes[run] = part(hashes, 0, length);
    this.#lengths[run] = length;
  }

  /** Drops the oldest blocks that are too many. */
  #evict(): void {
    for (let excess = this.#size - this.#blocksMax; excess > 0; ) {
      const run = this.#oldest;
      const length = this.#lengths[run] as number;
      const dropped = Math.min(excess, length);
      excess -= dropped;
      this.#size -= dropped;
      if (dropped === length) this.#remove(run);
      else this.#shorten(run, length - dropped);
    }
  }

  #shorten(run: number, length: number): void {
    this.#lengths[run] = length;
    const hashes = this.#hashes[run] as Float64Array;
    if (length < hashes.length / 2) this.#hashes[run] = part(hashes, 0, length);
  }

  /** The run that begins with the block. */
  #find(hash: number): number {
    const slots = this.#slots;
    const mask = slots.length - 1;
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const run = slots[slot] as number;
      if (run === none || this.#first[run] === hash) return run;
    }
  }

  /** A new run of the blocks `chain[from, to)`, without an age yet. */
  #insert(chain: Float64Array, from: number, to: number): number {
    let run = this.#free;
    if (run !== none) this.#free = this.#older[run] as number;
    else {
      if (this.#runsUsed === this.#first.length) this.#grow();
      run = this.#runsUsed++;
    }
    this.#first[run] = chain[from] as number;
    this.#hashes[run] = part(chain, from, to);
    this.#lengths[run] = to - from;
    this.#size += to - from;
    this.#place(run);
    return run;
  }

  #place(run: number): void {
    const mask = this.#slots.length - 1;
    let slot = (this.#first[run] as number) & mask;
    while (this.#slots[slot] !== none) slot = (slot + 1) & mask;
    this.#slots[slot] = run;
  }

  #remove(run: number): void {
    this.#unlink(run);
    this.#clearSlotOf(run);
    this.#hashes[run] = nothing;
    this.#older[run] = this.#free;
    this.#free = run;
  }

  /** Empties the run's slot and moves later ones of its cluster back, so that no probe stops short. */
  #clearSlotOf(run: number): void {
    const slots = this.#slots;
    const mask = slots.length - 1;
    let hole = (this.#first[run] as number) & mask;
    while (slots[hole] !== run) hole = (hole + 1) & mask;
    for (let slot = (hole + 1) & mask; slots[slot] !== none; slot = (slot + 1) & mask) {
      const home = (this.#first[slots[slot] as number] as number) & mask;
      // A run may move back to the hole only if that is not before its home.
      if (((slot - home) & mask) >= ((slot - hole) & mask)) {
        slots[hole] = slots[slot] as number;
        hole = slot;
      }
    }
    slots[hole] = none;
  }

  #linkYoungest(run: number): void {
    this.#link(run, this.#youngest, none);
  }

  #link(run: number, older: number, younger: number): void {
    this.#older[run] = older;
    this.#younger[run] = younger;
    if (older === none) this.#oldest = run;
    else this.#younger[older] = run;
    if (younger === none) this.#youngest = run;
    else this.#older[younger] = run;
  }

  #unlink(run: number): void {
    const younger = this.#younger[run] as number;
    const older = this.#older[run] as number;
    if (younger === none) this.#youngest = older;
    else this.#older[younger] = older;
    if (older === none) this.#oldest = younger;
    else this.#younger[older] = younger;
  }

  #grow(): void {
    const runs = this.#first.length * 2;
    this.#first = enlarge(this.#first, new Float64Array(runs));
    this.#lengths = enlarge(this.#lengths, new Int32Array(runs));
    this.#younger = enlarge(this.#younger, new Int32Array(runs));
    this.#older = enlarge(this.#older, new Int32Array(runs));
    this.#slots = new Int32Array(2 * runs).fill(none);
    // It is full, so all runs are in use.
    for (let run = 0; run < this.#runsUsed; run++) this.#place(run);
  }
}

const nothing = new Float64Array(0);

/** A copy of `chain[from, to)`; nothing for one block, which the run's first hash tells. */
function part(chain: Float64Array, from: number, to: number): Float64Array {
  return to - from === 1 ? nothing : chain.slice(from, to);
}

function enlarge<T extends Float64Array | Int32Array>(from: T, to: T): T {
  to.set(from);
  return to;
}
