// Cached prefixes of one engine: those that requests in flight use take memory, and those of conversations between two
// turns are lost if other prompts take their place.

/** Half-life of the idle tokens: a conversation that pauses for long has ended. Results are flat from 15 to 60 s. */
const halfLifeSeconds = 30;
/**
 * If half of the recent prompt tokens had been cached, all idle tokens are expected to be asked for again: a prefix that was
 * evicted was asked for, too, but is missing in that share. Below a fifth, none are: most prompts are then new, and room that is kept
 * for what never comes back makes them wait (docs/results/scaling.md).
 */
const [noneReturnsShare, allReturnShare] = [0.2, 0.5];

/** The cached part of a prompt. */
export interface CachedPrefix {
  /** Name of its last block, which stands for all blocks before it; undefined if it has no whole block. */
  readonly prefixHash: number | undefined;
  /** Tokens of its whole blocks. */
  readonly prefixTokens: number;
}

export class IdlePrefixes {
  /** Requests in flight by prefix. */
  readonly #uses = new Map<number, number>();
  #tokens = 0;
  #atSeconds = 0;

  /** Tokens that are cached for conversations between two turns and expected to be asked for again. */
  get tokens(): number {
    return this.#tokens;
  }

  /** @returns Tokens that the request adds to those in use: none if another request in flight has the prefix. */
  claim({ prefixHash, prefixTokens }: CachedPrefix, nowSeconds: number): number {
    if (prefixHash === undefined) return 0;
    const uses = this.#uses.get(prefixHash) ?? 0;
    this.#uses.set(prefixHash, uses + 1);
    if (uses > 0) return 0;
    this.#fade(nowSeconds);
    this.#tokens = Math.max(0, this.#tokens - prefixTokens);
    return prefixTokens;
  }

  /**
   * @param prefix One that was claimed.
   * @returns Tokens that are no longer in use.
   */
  release({ prefixHash, prefixTokens }: CachedPrefix): number {
    if (prefixHash === undefined) return 0;
    const uses = this.#uses.get(prefixHash) ?? 0;
    if (uses > 1) this.#uses.set(prefixHash, uses - 1);
    else this.#uses.delete(prefixHash);
    return uses > 1 ? 0 : prefixTokens;
  }

  /**
   * @param tokens Tokens of a completed request that are no longer in use.
   * @param cachedShare Mean share of the last prompts that was cached.
   */
  rest(tokens: number, cachedShare: number, nowSeconds: number): void {
    this.#fade(nowSeconds);
    const returning = (cachedShare - noneReturnsShare) / (allReturnShare - noneReturnsShare);
    this.#tokens += Math.min(1, Math.max(0, returning)) * tokens;
  }

  #fade(nowSeconds: number): void {
    // Updates of peer routers are about the past.
    const seconds = Math.max(0, nowSeconds - this.#atSeconds);
    this.#tokens *= 0.5 ** (seconds / halfLifeSeconds);
    this.#atSeconds += seconds;
  }
}
