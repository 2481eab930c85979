// GPU blocks that are free to be reallocated while a copy still reads them.

interface Copy {
  readonly endSeconds: number;
  readonly blocks: readonly number[];
}

/**
 * The step that overwrites such a block waits for the copy. Blocks of running requests need no fence:
 * they are not reallocated.
 *
 * @see vllm/distributed/kv_transfer/kv_connector/v1/offloading/scheduler.py: `jobs_to_flush`
 */
export class BlockFences<C extends Copy> {
  readonly #copies = new Map<number, Set<C>>();

  add(copy: C): void {
    for (const block of copy.blocks) {
      const copies = this.#copies.get(block);
      if (copies) copies.add(copy);
      else this.#copies.set(block, new Set([copy]));
    }
  }

  /** The copy is done. */
  remove(copy: C): void {
    if (this.#copies.size === 0) return;
    for (const block of copy.blocks) {
      const copies = this.#copies.get(block);
      if (copies?.delete(copy) && copies.size === 0) this.#copies.delete(block);
    }
  }

  /** End of the last copy out of these blocks; 0 if there is none. */
  endSeconds(blocks: readonly number[]): number {
    if (this.#copies.size === 0) return 0;
    let latest = 0;
    for (const block of blocks) {
      for (const copy of this.#copies.get(block) ?? []) latest = Math.max(latest, copy.endSeconds);
    }
    return latest;
  }

  clear(): void {
    this.#copies.clear();
  }
}
