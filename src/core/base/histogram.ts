// A Prometheus histogram on typed arrays: observing costs a binary search and two additions.

/** Counts of observations in buckets with fixed upper bounds. */
export class Histogram {
  /** Upper bounds, ascending, without +Inf. */
  readonly bounds: Float64Array;
  readonly #counts: Float64Array;
  #sum = 0;

  constructor(bounds: readonly number[]) {
    this.bounds = Float64Array.from(bounds);
    for (let i = 1; i < bounds.length; i++) {
      if (!((bounds[i] as number) > (bounds[i - 1] as number))) {
        throw new RangeError('Histogram bounds must ascend');
      }
    }
    this.#counts = new Float64Array(bounds.length + 1);
  }

  /** @param times How often the value was observed. @default 1 */
  observe(value: number, times = 1): void {
    let low = 0;
    let high = this.bounds.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      // Prometheus buckets include their upper bound: le="0.5" counts 0.5 itself.
      if ((this.bounds[middle] as number) < value) low = middle + 1;
      else high = middle;
    }
    this.#counts[low] = (this.#counts[low] as number) + times;
    this.#sum += value * times;
  }

  get sum(): number {
    return this.#sum;
  }

  get count(): number {
    return this.#counts.reduce((total, n) => total + n, 0);
  }

  /** Number of observations at or below each bound, shape [bounds + 1]; the last is +Inf, the count. */
  cumulative(): number[] {
    let total = 0;
    return Array.from(this.#counts, (n) => {
      total += n;
      return total;
    });
  }
}
