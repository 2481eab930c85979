// Whether one engine's KV cache has room for a prompt, and how long until it has.
import type { ReportedLoad } from '../../contract.ts';

/** Share of the KV cache above which vLLM makes new requests wait. */
const kvUsageFull = 0.98;
/** Reports of KV usage older than this are ignored. */
const reportSecondsMax = 30;
/** Initial means, until requests have finished: tokens of a prompt, and seconds that they are held. */
const finishedPrior = { tokens: 1000, seconds: 5 };
/** Weight of one request in the means. */
const requestWeight = 1 / 32;

/**
 * The engine reports what its running requests use; this class counts what was sent since and what waits
 * there. Tokens are prompt tokens that were not expected to be cached.
 */
export class KvMemory {
  /** Tokens of the requests in flight. */
  #heldTokens = 0;
  /** The part of them that the report's KV usage already includes. */
  #reportedTokens = 0;
  /** Means over finished requests; the second is in token-seconds. */
  #finishedTokens = finishedPrior.tokens;
  #finishedTokenSeconds = finishedPrior.tokens * finishedPrior.seconds;

  sent(tokens: number): void {
    this.#heldTokens += tokens;
  }

  /** @param waitingTokens Tokens of requests in flight without blocks, which the engine's usage does not include. */
  reported(waitingTokens: number): void {
    this.#reportedTokens = this.#heldTokens - waitingTokens;
  }

  /** @param seconds Time since it was sent; undefined if it failed, which gives no information. */
  finished(tokens: number, seconds: number | undefined): void {
    this.#heldTokens -= tokens;
    if (seconds === undefined) return;
    // Weighted by tokens: long prompts are held longer and take most of the memory.
    this.#finishedTokens += (tokens - this.#finishedTokens) * requestWeight;
    const tokenSeconds = tokens * seconds;
    this.#finishedTokenSeconds += (tokenSeconds - this.#finishedTokenSeconds) * requestWeight;
  }

  /**
   * Tokens that certainly fit now, according to this report; one less, because `waitSeconds` rounds in
   * another order.
   */
  roomTokens({ blocksTotal, blockTokens, kvUsage }: ReportedLoad): number {
    if (!blocksTotal || !blockTokens) return Number.POSITIVE_INFINITY;
    const capacity = blocksTotal * blockTokens;
    return (kvUsageFull - kvUsage) * capacity - this.#heldTokens + this.#reportedTokens - 1;
  }

  /**
   * Seconds until a prompt that joins now fits, behind all that wait; 0 if the engine does not report its
   * size. By Little's law, the engine frees as much as it holds once per mean time that a token is held.
   */
  waitSeconds(reported: ReportedLoad | undefined, tokens: number, nowSeconds: number): number {
    if (!reported?.blocksTotal || !reported.blockTokens) return 0;
    if (nowSeconds - reported.atSeconds > reportSecondsMax) return 0;
    const capacity = reported.blocksTotal * reported.blockTokens;
    const used = reported.kvUsage * capacity + this.#heldTokens - this.#reportedTokens;
    const excess = used + tokens - kvUsageFull * capacity;
    if (excess <= 0) return 0;
    const heldSeconds = this.#finishedTokenSeconds / Math.max(1, this.#finishedTokens);
    return (excess / Math.max(used, tokens)) * heldSeconds;
  }
}
