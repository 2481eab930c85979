// Limits retries to a share of the traffic, so that a failing fleet does not receive several times its load.
import type { Clock } from '../base/index.ts';

/** Retries per request in the long run; Finagle's `RetryBudget` has the same default. */
const retriesPerRequest = 0.2;
/** Retries per second that are always allowed; Finagle's default. */
const retriesPerSecondMin = 10;
/** Maximum burst of retries: those of ten seconds without traffic, Finagle's time to live. */
const balanceMax = 100;

/**
 * A token bucket that is filled by requests.
 *
 * @example
 * const budget = new RetryBudget(clock);
 * budget.deposit(); // a request arrives
 * if (budget.hasBalance) budget.withdraw(); // it is retried
 */
export class RetryBudget {
  readonly #clock: Clock;
  #balance = balanceMax;
  #updatedSeconds: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#updatedSeconds = clock.nowSeconds();
  }

  /** A request has arrived. */
  deposit(): void {
    this.#balance = Math.min(balanceMax, this.#balance + retriesPerRequest);
  }

  /** Whether a retry is allowed now. */
  get hasBalance(): boolean {
    const nowSeconds = this.#clock.nowSeconds();
    const earned = (nowSeconds - this.#updatedSeconds) * retriesPerSecondMin;
    this.#updatedSeconds = nowSeconds;
    this.#balance = Math.min(balanceMax, this.#balance + earned);
    return this.#balance >= 1;
  }

  /** Takes one retry. */
  withdraw(): void {
    this.#balance -= 1;
  }
}
