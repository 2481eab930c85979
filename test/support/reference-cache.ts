// The plainest prefix cache there can be, to check real ones against: zero service time, a hit is
// the leading run of cached blocks, all prompt blocks are inserted, least recently used goes first.
import type { TraceRequest } from '../../src/core/workload/index.ts';

export class ReferenceCache {
  readonly #blocksMax: number;
  // Iterates in insertion order: the first key is the least recently used.
  readonly #blocks = new Set<number>();

  /** @param blocksMax Capacity in blocks of the trace; Infinity for all. */
  constructor(blocksMax: number) {
    this.#blocksMax = blocksMax;
  }

  /** Serves one prompt. @returns How many of its leading blocks were cached. */
  serve(blockIds: readonly number[]): number {
    const miss = blockIds.findIndex((id) => !this.#blocks.has(id));
    // Tail first, so that the head of a prompt, which more prompts share, stays longest.
    for (const id of blockIds.toReversed()) {
      this.#blocks.delete(id);
      this.#blocks.add(id);
    }
    for (const oldest of this.#blocks) {
      if (this.#blocks.size <= this.#blocksMax) break;
      this.#blocks.delete(oldest);
    }
    return miss === -1 ? blockIds.length : miss;
  }
}

/** Share of prompt tokens that a fleet of caches served round robin would have had. */
export function tokenHitRate(
  requests: readonly TraceRequest[],
  options: { readonly blockTokens: number; readonly blocksMax: number; readonly engines: number },
): number {
  const { blockTokens, blocksMax, engines } = options;
  const caches = Array.from({ length: engines }, () => new ReferenceCache(blocksMax));
  let [hit, all] = [0, 0];
  for (const [index, { blockIds, promptTokens }] of requests.entries()) {
    const blocks = caches[index % engines]?.serve(blockIds) ?? 0;
    hit += Math.min(blocks * blockTokens, promptTokens);
    all += promptTokens;
  }
  return hit / all;
}
