// The plainest prefix cache there can be: zero service time, a hit is the leading run of cached
// blocks, all prompt blocks are inserted, least recently used goes first.

export class BlockCache {
  readonly #blocksMax: number;
  // Iterates in insertion order: the first key is the least recently used.
  readonly #blocks = new Set<number>();

  /** @param blocksMax Capacity in blocks of the trace, beyond which the oldest go; or Infinity. */
  constructor(blocksMax: number) {
    this.#blocksMax = blocksMax;
  }

  /** How many leading blocks of a prompt are cached. Touches nothing. */
  match(blockIds: readonly number[]): number {
    const miss = blockIds.findIndex((id) => !this.#blocks.has(id));
    return miss === -1 ? blockIds.length : miss;
  }

  has(blockId: number): boolean {
    return this.#blocks.has(blockId);
  }

  /** Serves one prompt. @returns How many of its leading blocks were cached. */
  serve(blockIds: readonly number[]): number {
    const hit = this.match(blockIds);
    this.insert(blockIds);
    return hit;
  }

  /** Makes the blocks the most recently used. */
  insert(blockIds: readonly number[]): void {
    // Tail first, so that the head of a prompt, which more prompts share, stays longest.
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
