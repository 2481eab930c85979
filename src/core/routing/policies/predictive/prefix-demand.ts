// Number of recent requests for one prefix, which shows whether another copy of it would be used.
import type { PromptChain } from '../../assumed-prefixes.ts';

/** Requests this far back predict those to come. */
const windowSeconds = 5;
/** Maximum number of requests remembered: 25/s for the window. */
const requestsMax = 128;

/** The last prompts sent; when full, the oldest is forgotten. */
export class PrefixDemand {
  readonly #chains: Float64Array[] = [];
  readonly #sentSeconds = new Float64Array(requestsMax).fill(Number.NEGATIVE_INFINITY);
  #next = 0;

  sent({ hashes }: PromptChain, nowSeconds: number): void {
    this.#chains[this.#next] = hashes;
    this.#sentSeconds[this.#next] = nowSeconds;
    this.#next = (this.#next + 1) % requestsMax;
  }

  /**
   * Counts recent requests that shared the first tokens of a prompt.
   *
   * @param tokens Number of tokens; less than one block of the chain has no demand.
   */
  requests({ hashes, blockTokens }: PromptChain, tokens: number, nowSeconds: number): number {
    const block = Math.min(hashes.length, Math.floor(tokens / blockTokens)) - 1;
    if (!(block >= 0)) return 0;
    const mark = hashes[block];
    let count = 0;
    for (let i = 0; i < this.#chains.length; i++) {
      if (nowSeconds - (this.#sentSeconds[i] as number) > windowSeconds) continue;
      if ((this.#chains[i] as Float64Array)[block] === mark) count += 1;
    }
    return count;
  }
}
