// Events per second over a sliding window, in whole seconds: one addition per event.

export class RateMeter {
  readonly #counts: Float64Array;
  readonly #windowSeconds: number;
  #second = 0;

  /** @param options `windowSeconds`: a whole number of at least 1. */
  constructor(options: { readonly windowSeconds: number }) {
    this.#windowSeconds = options.windowSeconds;
    // One more than the window: the current second is not over and does not count.
    this.#counts = new Float64Array(options.windowSeconds + 1);
  }

  count(nowSeconds: number): void {
    const second = this.#advance(nowSeconds);
    const slot = second % this.#counts.length;
    this.#counts[slot] = (this.#counts[slot] as number) + 1;
  }

  /** Mean over the last whole seconds, at most the window. */
  perSecond(nowSeconds: number): number {
    const second = this.#advance(nowSeconds);
    const present = this.#counts[second % this.#counts.length] as number;
    const total = this.#counts.reduce((sum, n) => sum + n, 0);
    return (total - present) / this.#windowSeconds;
  }

  /** Empties the slots of the seconds that have passed since the last call. */
  #advance(nowSeconds: number): number {
    const second = Math.floor(nowSeconds);
    const passed = Math.min(second - this.#second, this.#counts.length);
    for (let i = 0; i < passed; i++) this.#counts[(second - i) % this.#counts.length] = 0;
    this.#second = Math.max(second, this.#second);
    return second;
  }
}
