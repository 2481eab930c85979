// The prompts that one engine is busy with: their blocks are there, or will be by the time a request
// that joins the queue now is begun, though no event has told of them yet.

/** Blocks counted by the requests that have them; bounded by the prompts in flight. */
export class PromptsInFlight {
  readonly #uses = new Map<number, number>();

  /** @param chain Entry i stands for blocks 0..i. */
  add(chain: Float64Array): void {
    for (const hash of chain) this.#uses.set(hash, (this.#uses.get(hash) ?? 0) + 1);
  }

  /** @param chain One that was added, and not removed since. */
  remove(chain: Float64Array): void {
    for (const hash of chain) {
      const uses = this.#uses.get(hash) ?? 0;
      if (uses > 1) this.#uses.set(hash, uses - 1);
      else this.#uses.delete(hash);
    }
  }

  /** How many blocks of the chain, from its head, some prompt in flight has. */
  leadingBlocks(chain: Float64Array): number {
    // Who has a block of a chain has all before it.
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
