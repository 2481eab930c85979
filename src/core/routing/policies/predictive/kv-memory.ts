// Whether one engine's KV cache has room for a prompt, and how long until it has.
import type { ReportedLoad } from '../../contract.ts';

/** Share of the KV cache past which vLLM makes new requests wait. */
const kvUsageFull = 0.98;
/** A report of the engine's KV usage older than this says nothing about now. */
const reportSecondsMax = 30;
/** Until requests have finished: as if prompts of so many tokens had been held for so long. */
const finishedPrior = { tokens: 1000, seconds: 5 };
/** Weight of one request in the means. */
const requestWeight = 1 / 32;

/**
 * The engine tells what its running requests use; what it was sent since, and what waits there, is
 * counted here. Tokens are prompt tokens that were not expected to be cached.
 */
export class KvMemory {
  /** Of the requests in flight. */
  #heldTokens = 0;
  /** Of these, in the report's KV usage already. */
  #reportedTokens = 0;
  /** Means over the requests that finished; the second in token seconds. */
  #finishedTokens = finishedPrior.tokens;
  #finishedTokenSeconds = finishedPrior.tokens * finishedPrior.seconds;

  sent(tokens: number): void {
    this.#heldTokens += tokens;
  }

  /** @param waitingTokens Of requests in flight without blocks yet: the engine's usage lacks them. */
  reported(waitingTokens: number): void {
    this.#reportedTokens = this.#heldTokens - waitingTokens;
  }

  /** @param seconds Since it was sent; undefined if it failed, which tells nothing. */
  finished(tokens: number, seconds: number | undefined): void {
    this.#heldTokens -= tokens;
    if (seconds === undefined) return;
    // By tokens: long prompts are held longer, and most of the memory is theirs.
    this.#finishedTokens += (tokens - this.#finishedTokens) * requestWeight;
    const tokenSeconds = tokens * seconds;
    this.#finishedTokenSeconds += (tokenSeconds - this.#finishedTokenSeconds) * requestWeight;
  }

  /** Tokens that surely fit now, by this report: one less, as `waitSeconds` adds up in another order. */
  roomTokens({ blocksTotal, blockTokens, kvUsage }: ReportedLoad): number {
    if (!blocksTotal || !blockTokens) return Number.POSITIVE_INFINITY;
    const capacity = blocksTotal * blockTokens;
    return (kvUsageFull - kvUsage) * capacity - this.#heldTokens + this.#reportedTokens - 1;
  }

  /**
   * Until a prompt that joins now fits, behind all that wait; 0 if the engine does not tell. By
   * Little's law the engine gives back what it holds once per mean time that a token is held.
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
