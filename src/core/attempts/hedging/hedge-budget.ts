// Limits hedges to a share of the requests, so that they cannot become a load of their own.

/** Hedges that can be saved up: a short fault of one engine makes several requests late at once. */
const balanceMax = 10;

/**
 * A token bucket that only requests fill, and that is empty at first: there are never more hedges than the share of
 * the requests so far.
 *
 * @example
 * const budget = new HedgeBudget(0.02);
 * budget.deposit(); // a request arrives
 * if (budget.hasBalance) budget.withdraw(); // it is hedged
 */
export class HedgeBudget {
  readonly #share: number;
  #balance = 0;

  /** @param share Hedges per request, in [0, 1]. */
  constructor(share: number) {
    this.#share = share;
  }

  /** A request that may be hedged has been admitted. */
  deposit(): void {
    this.#balance = Math.min(balanceMax, this.#balance + this.#share);
  }

  get hasBalance(): boolean {
    // Sums of shares such as 0.1 are a little off.
    return this.#balance > 1 - 1e-9;
  }

  /** Takes one hedge. */
  withdraw(): void {
    this.#balance -= 1;
  }
}
