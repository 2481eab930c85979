// Delay of updates between machines with unsynchronized clocks.

/**
 * Time for which the fastest line of a stream is remembered: clocks drift by less than 0.1 ms per
 * second.
 */
const windowMs = 30_000;

/**
 * Compares each line with the fastest of the last half minute. The excess is time spent waiting in
 * the sender, on the network or here. The delay of the fastest line itself cannot be measured.
 */
export class UpdateLag {
  #windowStartMs = Number.NEGATIVE_INFINITY;
  /** Minimum difference between the two clocks, in the previous window and in this one. */
  #leastBeforeMs = Number.POSITIVE_INFINITY;
  #leastMs = Number.POSITIVE_INFINITY;

  /**
   * @param sentMs Time of sending by the sender's clock.
   * @param heardMs Time of arrival by the local clock.
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
