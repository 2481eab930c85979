// How fast a queue is admitted, for the wait of a request that joins it.

/** Time constant of the mean. The admissions of a busy fleet come in bursts, one for each step of an engine. */
const meanSeconds = 15;

/** Exponentially weighted mean of admissions per second since the queue began to stand. */
export class DrainRate {
  readonly #startSeconds: number;
  #atSeconds: number;
  #value = 0;

  constructor(nowSeconds: number) {
    this.#startSeconds = nowSeconds;
    this.#atSeconds = nowSeconds;
  }

  admitted(nowSeconds: number): void {
    this.#age(nowSeconds);
    this.#value += 1 / meanSeconds;
  }

  /** Undefined before the first admission. */
  perSecond(nowSeconds: number): number | undefined {
    if (this.#value === 0) return undefined;
    this.#age(nowSeconds);
    // A mean that has just begun has seen only a part of its time.
    const seen = 1 - Math.exp(-(nowSeconds - this.#startSeconds) / meanSeconds);
    return seen > 0 ? this.#value / seen : undefined;
  }

  #age(nowSeconds: number): void {
    this.#value *= Math.exp(-(nowSeconds - this.#atSeconds) / meanSeconds);
    this.#atSeconds = nowSeconds;
  }
}
