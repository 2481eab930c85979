// A histogram of the last minutes.
import { type LogBuckets, LogHistogram } from './log-histogram.ts';

export interface SlidingHistogramOptions {
  readonly buckets: LogBuckets;
  /** Duration of one slice. */
  readonly sliceSeconds: number;
  /** Number of slices in the window, including the current one. */
  readonly slices: number;
}

/**
 * Counts the values of a sliding window: the current slice of time and the full ones before it. Each value is
 * counted in two arrays; a slice that leaves the window is subtracted as a whole.
 */
export class SlidingHistogram {
  readonly #options: SlidingHistogramOptions;
  readonly #total: LogHistogram;
  readonly #slices: LogHistogram[];
  /** Number of the current slice, counted from time zero. */
  #current = 0;

  constructor(options: SlidingHistogramOptions) {
    this.#options = options;
    this.#total = new LogHistogram(options.buckets);
    this.#slices = Array.from({ length: options.slices }, () => new LogHistogram(options.buckets));
  }

  add(value: number, nowSeconds: number): void {
    this.addTo(this.bucketOf(value), nowSeconds);
  }

  /** Index of the bucket of a value, for windows that share the buckets and count the same value. */
  bucketOf(value: number): number {
    return this.#total.bucketOf(value);
  }

  /** Counts a value by the index of its bucket. */
  addTo(bucket: number, nowSeconds: number): void {
    this.#advance(nowSeconds);
    this.#total.addTo(bucket);
    (this.#slices[this.#current % this.#slices.length] as LogHistogram).addTo(bucket);
  }

  /** The values of the window; valid until the next call. */
  at(nowSeconds: number): LogHistogram {
    this.#advance(nowSeconds);
    return this.#total;
  }

  /** Drops the slices that have left the window. A clock that went back changes nothing. */
  #advance(nowSeconds: number): void {
    const current = Math.floor(nowSeconds / this.#options.sliceSeconds);
    if (current <= this.#current) return;
    const passed = Math.min(current - this.#current, this.#slices.length);
    for (let i = 0; i < passed; i++) {
      const slice = this.#slices[(current - i) % this.#slices.length] as LogHistogram;
      this.#total.unmerge(slice);
      slice.clear();
    }
    this.#current = current;
  }
}
