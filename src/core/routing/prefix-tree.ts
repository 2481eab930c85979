// The blocks that engines are assumed to have cached: one tree of all prompts, in which each engine
// is a bounded LRU, so that a pick finds each engine's prefix of a prompt in one walk along it.

/**
 * Remembers prefixes as chains of block hashes, in which entry i stands for blocks 0..i.
 *
 * The runs of a chain are touched so that a block is never older than any block after it: a full holder loses chains from their tails, as vLLM's free list does, and what it holds of a chain
 * is always a prefix of it.
 *
 * Blocks are grouped in runs, each found by its first block: a prompt of hundreds of blocks is a few runs, one
 * for each prompt that it continues. A prompt that diverges from another within a run splits it.
 *
 * Memory grows with use: 8 bytes per block, about 400 per run and 100 per holder of a run. Each holder has a
 * maximum number of blocks.
 *
 * @example
 * const tree = new PrefixTree();
 * const holder = tree.addHolder({ blocksMax: 1000 });
 * tree.touch(holder, chain);
 * tree.leadingBlocks(chain)[holder.number]; // chain.length
 */
export class PrefixTree {
  /** By their first block. */
  readonly #runs = new Map<number, Run>();
  /** Numbers below `#numbers` that no holder has. */
  readonly #freeNumbers: number[] = [];
  #numbers = 0;
  /** Result for the last queried chain, by number of the holder. */
  #leading = new Int32Array(8);

  addHolder(options: { readonly blocksMax: number }): PrefixHolder {
    const number = this.#freeNumbers.pop() ?? this.#numbers++;
    if (this.#leading.length < this.#numbers) this.#leading = new Int32Array(2 * this.#numbers);
    return new PrefixHolder(number, wholeBlocks(options.blocksMax));
  }

  /** Its number may be reused. */
  removeHolder(holder: PrefixHolder): void {
    this.clear(holder);
    this.#freeNumbers.push(holder.number);
  }

  /** Changes the maximum of a holder; blocks that no longer fit are dropped, oldest first. */
  setBlocksMax(holder: PrefixHolder, blocksMax: number): void {
    holder.blocksMax = wholeBlocks(blocksMax);
    this.#shrink(holder, holder.blocksMax);
  }

  clear(holder: PrefixHolder): void {
    this.#shrink(holder, 0);
  }

  /**
   * How many blocks of the chain, from its head, each holder has. Ages do not change.
   *
   * @returns By number of the holder; valid until the next call.
   */
  leadingBlocks(chain: Float64Array): Int32Array {
    const leading = this.#leading.fill(0);
    for (let at = 0; at < chain.length; ) {
      const run = this.#runs.get(chain[at] as number);
      if (run === undefined) break;
      const shared = run.shared(chain, at, chain.length);
      run.noteLeading(leading, at, shared);
      if (shared < run.hashes.length) break;
      at += shared;
    }
    return leading;
  }

  /** Makes the chain's blocks the holder's youngest, and adds missing ones. */
  touch(holder: PrefixHolder, chain: Float64Array): void {
    const end = Math.min(chain.length, holder.blocksMax);
    let before: Holding | undefined;
    for (let at = 0; at < end; ) {
      const run = this.#runAt(chain, at, end);
      const holding = holder.take(run);
      holder.makeNextTo(before, holding);
      before = holding;
      at += run.hashes.length;
    }
    this.#shrink(holder, holder.blocksMax);
  }

  /** The run that begins at a block of the chain, and goes no further than it goes with `[from, to)`. */
  #runAt(chain: Float64Array, from: number, to: number): Run {
    const known = this.#runs.get(chain[from] as number);
    if (known === undefined) return this.#add(new Run(chain.slice(from, to)));
    const shared = known.shared(chain, from, to);
    if (shared < known.hashes.length) {
      const rest = known.split(shared);
      if (rest.holdings.length > 0) this.#add(rest);
    }
    return known;
  }

  #add(run: Run): Run {
    this.#runs.set(run.hashes[0] as number, run);
    return run;
  }

  /** Drops the oldest blocks above the maximum. */
  #shrink(holder: PrefixHolder, blocksMax: number): void {
    while (holder.size > blocksMax) {
      const run = holder.dropOldest(holder.size - blocksMax);
      if (run.holdings.length === 0) this.#runs.delete(run.hashes[0] as number);
    }
  }
}

/** One engine: what it holds, by age. Only the tree changes it. */
export class PrefixHolder {
  /** Small and unique. */
  readonly number: number;
  blocksMax: number;
  /** Blocks held. */
  size = 0;
  readonly #holdings = new Map<Run, Holding>();
  #youngest: Holding | undefined;
  #oldest: Holding | undefined;

  constructor(number: number, blocksMax: number) {
    this.number = number;
    this.blocksMax = blocksMax;
  }

  /** Adds a run that is held as a whole. */
  take(run: Run): Holding {
    let holding = this.#holdings.get(run);
    if (holding === undefined) {
      holding = new Holding(this, run);
      this.#holdings.set(run, holding);
      this.#link(holding, this.#youngest, undefined);
    }
    this.size += run.hashes.length - holding.length;
    holding.length = run.hashes.length;
    return holding;
  }

  /** Moves a holding to just behind another one in age. @param younger Undefined to make it the youngest. */
  makeNextTo(younger: Holding | undefined, holding: Holding): void {
    if (holding.younger === younger) return;
    this.#unlink(holding);
    this.#link(holding, younger === undefined ? this.#youngest : younger.older, younger);
  }

  /** Adds the rest of a split run, which is as old as the run was. */
  keepRest(of: Holding, rest: Run, length: number): void {
    const holding = new Holding(this, rest);
    holding.length = length;
    this.#holdings.set(rest, holding);
    this.#link(holding, of.older, of);
  }

  /**
   * Drops up to the given number of blocks from the tail of the oldest run.
   *
   * @returns That run.
   */
  dropOldest(blocks: number): Run {
    const holding = this.#oldest as Holding;
    const { run } = holding;
    const dropped = Math.min(blocks, holding.length);
    this.size -= dropped;
    holding.length -= dropped;
    if (holding.length === 0) {
      this.#holdings.delete(run);
      this.#unlink(holding);
      run.remove(holding);
    }
    return run;
  }

  #link(holding: Holding, older: Holding | undefined, younger: Holding | undefined): void {
    holding.older = older;
    holding.younger = younger;
    if (older === undefined) this.#oldest = holding;
    else older.younger = holding;
    if (younger === undefined) this.#youngest = holding;
    else younger.older = holding;
  }

  #unlink({ older, younger }: Holding): void {
    if (younger === undefined) this.#youngest = older;
    else younger.older = older;
    if (older === undefined) this.#oldest = younger;
    else older.younger = younger;
  }
}

/** A run that an engine holds. */
class Holding {
  readonly holder: PrefixHolder;
  readonly run: Run;
  /** Index among the holdings of the run. */
  place: number;
  /** Neighbours by age; owned by the holder. */
  older: Holding | undefined;
  younger: Holding | undefined;

  constructor(holder: PrefixHolder, run: Run) {
    this.holder = holder;
    this.run = run;
    this.place = run.add(this);
  }

  /** Blocks from the run's head; only a holder's oldest run has fewer than all. */
  get length(): number {
    return this.run.lengths[this.place] as number;
  }

  set length(blocks: number) {
    this.run.lengths[this.place] = blocks;
  }
}

/** Consecutive blocks of every prompt that contains the last of them. */
class Run {
  hashes: Float64Array;
  readonly holdings: Holding[] = [];
  /**
   * Aligned with `holdings`: numbers of the holders, and blocks that they hold. By themselves, because
   * the head of a system prompt is held by all engines, and each pick reads all of them.
   */
  readonly #numbers: number[] = [];
  readonly lengths: number[] = [];

  constructor(hashes: Float64Array) {
    this.hashes = hashes;
  }

  /** @returns The index of the holding. */
  add(holding: Holding): number {
    this.#numbers.push(holding.holder.number);
    this.lengths.push(0);
    return this.holdings.push(holding) - 1;
  }

  /** Records how much its holders hold of a chain whose next `shared` blocks are this run's first. */
  noteLeading(leading: Int32Array, from: number, shared: number): void {
    const numbers = this.#numbers;
    const { lengths } = this;
    for (let i = 0; i < numbers.length; i++) {
      leading[numbers[i] as number] = from + Math.min(shared, lengths[i] as number);
    }
  }

  /** How many of its blocks match `chain[from, to)`, which starts with its first block. */
  shared(chain: Float64Array, from: number, to: number): number {
    const { hashes } = this;
    const most = Math.min(hashes.length, to - from);
    if (hashes[most - 1] === chain[from + most - 1]) return most;
    // Chains that have diverged never meet again.
    let [shared, parted] = [1, most];
    while (parted - shared > 1) {
      const middle = (shared + parted) >>> 1;
      if (hashes[middle - 1] === chain[from + middle - 1]) shared = middle;
      else parted = middle;
    }
    return shared;
  }

  /** Keeps its first blocks. @returns The others, as a run of their own. */
  split(length: number): Run {
    const rest = new Run(this.hashes.slice(length));
    this.hashes = this.hashes.slice(0, length);
    for (const holding of this.holdings) {
      if (holding.length <= length) continue;
      holding.holder.keepRest(holding, rest, holding.length - length);
      holding.length = length;
    }
    return rest;
  }

  /** The last takes its place. */
  remove(holding: Holding): void {
    const last = this.holdings.pop() as Holding;
    const number = this.#numbers.pop() as number;
    const length = this.lengths.pop() as number;
    if (last === holding) return;
    this.holdings[holding.place] = last;
    this.#numbers[holding.place] = number;
    this.lengths[holding.place] = length;
    last.place = holding.place;
  }
}

function wholeBlocks(blocksMax: number): number {
  return Math.max(1, Math.floor(blocksMax));
}
