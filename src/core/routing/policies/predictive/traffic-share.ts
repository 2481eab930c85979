// The ratio of a fleet's traffic to this router's: requests in flight on the engines over those that this
// router sent.

/** Half-life of the counts. */
const halfLifeSeconds = 10;
/** Maximum ratio; more routers in front of one fleet count as this many. */
const shareMax = 64;

export class TrafficShare {
  #all = 0;
  #own = 0;
  #countedSeconds = 0;

  /**
   * @param all Requests in flight according to an engine.
   * @param own Requests that this router had in flight there at that time.
   */
  count(all: number, own: number, nowSeconds: number): void {
    const keep = 0.5 ** (Math.max(0, nowSeconds - this.#countedSeconds) / halfLifeSeconds);
    this.#countedSeconds = nowSeconds;
    this.#all = this.#all * keep + all;
    this.#own = this.#own * keep + own;
  }

  /** All requests divided by this router's, at least 1; 1 without data. */
  get allPerOwn(): number {
    if (this.#own === 0) return 1;
    return Math.min(shareMax, Math.max(1, this.#all / this.#own));
  }
}
