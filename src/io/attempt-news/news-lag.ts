// How late news comes, between machines whose clocks have nothing in common.

/** How long the quickest line of a stream is remembered: clocks drift by less than 0.1 ms per second. */
const windowMs = 30_000;

/**
 * Compares each line with the quickest of the last half minute or so: what it took longer, it waited
 * somewhere, in the sender, on the network or here. What even the quickest took is not seen.
 */
export class NewsLag {
  #windowStartMs = Number.NEGATIVE_INFINITY;
  /** Least difference of the two clocks, in the window before and in this one. */
  #leastBeforeMs = Number.POSITIVE_INFINITY;
  #leastMs = Number.POSITIVE_INFINITY;

  /**
   * @param sentMs By the sender's clock.
   * @param heardMs By ours.
   * @returns Seconds, >= 0.
   */
  of(sentMs: number, heardMs: number): number {
    const difference = heardMs - sentMs;
    if (heardMs - this.#windowStartMs > windowMs) {
      this.#windowStartMs = heardMs;
      this.#leastBeforeMs = this.#leastMs;
      this.#leastMs = difference;
    }
    this.#leastMs = Math.min(this.#leastMs, difference);
    return (difference - Math.min(this.#leastMs, this.#leastBeforeMs)) / 1000;
  }
}
