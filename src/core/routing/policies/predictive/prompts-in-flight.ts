// The prompts in flight on one engine. Their blocks are cached by the time that a request which joins the
// queue now starts, though no event has reported them yet.

/** Number of prompts per block; bounded by the prompts in flight. */
export class PromptsInFlight {
  readonly #uses = new Map<number, number>();

  /** @param chain Entry i stands for blocks 0..i. */
  add(chain: Float64Array): void {
    for (const hash of chain) this.#uses.set(hash, (this.#uses.get(hash) ?? 0) + 1);
  }

  /** @param chain A chain that was added and has not been removed since. */
  remove(chain: Float64Array): void {
    for (const hash of chain) {
      const uses = this.#uses.get(hash) ?? 0;
      if (uses > 1) this.#uses.set(hash, uses - 1);
      else this.#uses.delete(hash);
    }
  }

  /** Number of leading blocks of the chain that some prompt in flight has. */
  leadingBlocks(chain: Float64Array): number {
    // A prompt that has a block of a chain has all blocks before it.
    let held = 0;
    let missing = chain.length + 1;
    while (missing - held > 1) {
      const middle = (held + missing) >>> 1;
      if (this.#uses.has(chain[middle - 1] as number)) held = middle;
      else missing = middle;
    }
    return held;
  }
}
