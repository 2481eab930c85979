// How much of a fleet's traffic comes through this router: what its engines have in flight over what
// was sent from here.

/** What was counted counts half after this time. */
const halfLifeSeconds = 10;
/** More routers than this before one fleet are taken for so many. */
const shareMax = 64;

export class TrafficShare {
  #all = 0;
  #own = 0;
  #countedSeconds = 0;

  /** An engine's count of its requests in flight, and ours of the same moment. */
  count(all: number, own: number, nowSeconds: number): void {
    const keep = 0.5 ** (Math.max(0, nowSeconds - this.#countedSeconds) / halfLifeSeconds);
    this.#countedSeconds = nowSeconds;
    this.#all = this.#all * keep + all;
    this.#own = this.#own * keep + own;
  }

  /** All requests over ours, at least 1; 1 until something is known. */
  get allPerOwn(): number {
    if (this.#own === 0) return 1;
    return Math.min(shareMax, Math.max(1, this.#all / this.#own));
  }
}
