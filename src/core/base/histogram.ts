// A Prometheus histogram on typed arrays: observing costs a binary search and two additions.

/** An observation whose trace can be looked up. */
export interface Exemplar {
  readonly value: number;
  readonly traceId: string;
  /** Unix time. */
  readonly atSeconds: number;
}

/** Counts of observations in buckets with fixed upper bounds. */
export class Histogram {
  /** Upper bounds, ascending, without +Inf. */
  readonly bounds: Float64Array;
  readonly #counts: Float64Array;
  #sum = 0;
  #exemplars: (Exemplar | undefined)[] | undefined = undefined;

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
    const bucket = this.#bucketOf(value);
    this.#counts[bucket] = (this.#counts[bucket] as number) + times;
    this.#sum += value * times;
  }

  /** Names the trace of an observation; the last one of each bucket is kept. */
  exemplify(exemplar: Exemplar): void {
    this.#exemplars ??= new Array(this.#counts.length);
    this.#exemplars[this.#bucketOf(exemplar.value)] = exemplar;
  }

  /** Of each bucket, aligned with `cumulative()`; empty if there are none. */
  get exemplars(): readonly (Exemplar | undefined)[] {
    return this.#exemplars ?? [];
  }

  #bucketOf(value: number): number {
    let low = 0;
    let high = this.bounds.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      // Prometheus buckets include their upper bound: le="0.5" counts 0.5 itself.
      if ((this.bounds[middle] as number) < value) low = middle + 1;
      else high = middle;
    }
    return low;
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
