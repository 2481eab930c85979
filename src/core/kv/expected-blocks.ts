// Blocks that engines were sent and have not announced yet: they bridge the time from a pick to the events of its
// prefill.
import type { ChainHash } from './chain-hash.ts';
import { HolderTable } from './holder-table.ts';

/** Maximum number of different expected blocks, 16 million tokens; further prompts are not expected anywhere. */
const expectedBlocksMaxDefault = 1_048_576;
/**
 * How long blocks are expected after the first byte of the response, by which the engine has computed them. Events
 * follow within milliseconds; an engine that keeps no prefixes never sends any. llm-d's value.
 */
const graceSeconds = 2;

/** One prompt that was sent to one engine. */
export interface ExpectedPrompt {
  /** Names of its blocks that the engine had not announced. */
  readonly hashes: readonly ChainHash[];
  readonly holder: number;
  /** The blocks of its engine when it was sent; a restart replaces them. */
  readonly uses: Map<ChainHash, number>;
  /** Whether its end is known. */
  isSettled: boolean;
}

interface Ending {
  readonly prompt: ExpectedPrompt;
  readonly atSeconds: number;
}

/** Counts, per engine and block, the prompts that will make the engine store it. */
export class ExpectedBlocks {
  readonly table: HolderTable;
  readonly #uses = new Map<number, Map<ChainHash, number>>();
  /** Settled prompts, in the order in which they are forgotten. */
  readonly #ending: Ending[] = [];
  #ended = 0;

  constructor(expectedBlocksMax: number = expectedBlocksMaxDefault) {
    this.table = new HolderTable(expectedBlocksMax);
  }

  /** Number of different blocks that are expected somewhere. */
  get size(): number {
    return this.table.size;
  }

  /** For the index, which knows the holders and the blocks that they lack. */
  add(holder: number, hashes: readonly ChainHash[]): ExpectedPrompt | undefined {
    if (this.table.size + hashes.length > this.table.blocksMax) return undefined;
    let uses = this.#uses.get(holder);
    if (uses === undefined) {
      uses = new Map();
      this.#uses.set(holder, uses);
    }
    for (const hash of hashes) {
      uses.set(hash, (uses.get(hash) ?? 0) + 1);
      this.table.add(hash, holder);
    }
    return { hashes, holder, uses, isSettled: false };
  }

  /** The first byte of the response arrived, so the prefill is over: events come now or never. */
  settle(prompt: ExpectedPrompt, nowSeconds: number): void {
    if (prompt.isSettled) return;
    prompt.isSettled = true;
    this.#ending.push({ prompt, atSeconds: nowSeconds + graceSeconds });
  }

  /** The engine did not compute the prompt. */
  withdraw(prompt: ExpectedPrompt): void {
    if (prompt.isSettled) return;
    prompt.isSettled = true;
    this.#remove(prompt);
  }

  /** Forgets prompts whose events did not come in time. */
  forget(nowSeconds: number): void {
    while (this.#ended < this.#ending.length) {
      const { prompt, atSeconds } = this.#ending[this.#ended] as Ending;
      if (atSeconds > nowSeconds) break;
      this.#ended++;
      this.#remove(prompt);
    }
    if (this.#ended < 64 || 2 * this.#ended < this.#ending.length) return;
    this.#ending.splice(0, this.#ended);
    this.#ended = 0;
  }

  /** The engine announced the block: from now on its events say whether it has it. */
  confirm(hash: ChainHash, holder: number): void {
    if (this.size > 0 && this.#uses.get(holder)?.delete(hash)) this.table.remove(hash, holder);
  }

  /** The engine lost its cache, or is gone. */
  clear(holder: number): void {
    for (const hash of this.#uses.get(holder)?.keys() ?? []) this.table.remove(hash, holder);
    this.#uses.delete(holder);
  }

  #remove({ hashes, holder, uses }: ExpectedPrompt): void {
    if (this.#uses.get(holder) !== uses) return;
    for (const hash of hashes) {
      const count = uses.get(hash);
      if (count === undefined) continue;
      if (count > 1) uses.set(hash, count - 1);
      else {
        uses.delete(hash);
        this.table.remove(hash, holder);
      }
    }
  }
}

/** What the routers that pick by one index expect; in a simulation there may be several. */
export class Expectations {
  #all: WeakRef<ExpectedBlocks>[] = [];

  /** Those of one more router. Dropped with their last reference. @param blocksMax See `ExpectedBlocks`. */
  create(blocksMax: number | undefined): ExpectedBlocks {
    const expected = new ExpectedBlocks(blocksMax);
    this.#all = this.#all.filter((one) => one.deref() !== undefined);
    this.#all.push(new WeakRef(expected));
    return expected;
  }

  /** An engine has announced a block. */
  confirm(hash: ChainHash, holder: number): void {
    for (const expected of this.#all) expected.deref()?.confirm(hash, holder);
  }

  /** Nothing is expected of an engine any more. */
  clear(holder: number): void {
    for (const expected of this.#all) expected.deref()?.clear(holder);
  }
}
