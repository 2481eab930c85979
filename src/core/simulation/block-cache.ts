// The simplest possible prefix cache: zero service time, a hit is the leading run of cached blocks, all
// prompt blocks are inserted, least recently used blocks are evicted first.

export class BlockCache {
  readonly #blocksMax: number;
  // Iterates in insertion order: the first key is the least recently used.
  readonly #blocks = new Set<number>();

  /** @param blocksMax Capacity in blocks of the trace, beyond which the oldest are evicted; or Infinity. */
  constructor(blocksMax: number) {
    this.#blocksMax = blocksMax;
  }

  /** Number of leading blocks of a prompt that are cached. Does not change their recency. */
  match(blockIds: readonly number[]): number {
    const miss = blockIds.findIndex((id) => !this.#blocks.has(id));
    return miss === -1 ? blockIds.length : miss;
  }

  has(blockId: number): boolean {
    return this.#blocks.has(blockId);
  }

  /** Serves one prompt. @returns Number of its leading blocks that were cached. */
  serve(blockIds: readonly number[]): number {
    const hit = this.match(blockIds);
    this.insert(blockIds);
    return hit;
  }

  /** Makes the blocks the most recently used. */
  insert(blockIds: readonly number[]): void {
    // Tail first, so that the head of a prompt, which more prompts share, is evicted last.
    for (const id of blockIds.toReversed()) {
      this.#blocks.delete(id);
      this.#blocks.add(id);
    }
    for (const oldest of this.#blocks) {
      if (this.#blocks.size <= this.#blocksMax) break;
      this.#blocks.delete(oldest);
    }
  }
}
