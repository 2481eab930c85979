// Calls to an object store: repeated while that may help, and not made for a time when the store goes on failing.
import type { Clock, Random } from '../../core/base/index.ts';
import { RetryBudget } from './retry-budget.ts';

/** Further tries of one call, if the budget of all calls has some left. */
const retriesMax = 3;
const retryWaitMs = 100;
/** After this many failed calls in a row, none is made for a time. */
const failuresMax = 5;
const pauseSeconds = 10;

/** Makes a call, and repeats it if it fails and may be repeated. */
export type TryCall = <T>(call: () => Promise<T>, mayRepeat?: () => boolean) => Promise<T>;

export class GuardedCalls {
  readonly #wallClock: Clock;
  readonly #random: Random;
  readonly #budget = new RetryBudget();
  #failures = 0;
  #pausedUntilSeconds = 0;
  /** Set when no call is to be repeated any more. */
  isClosed = false;
  retries = 0;
  errors = 0;

  constructor(wallClock: Clock, random: Random) {
    this.#wallClock = wallClock;
    this.#random = random;
  }

  get isPaused(): boolean {
    return this.#pausedUntilSeconds > this.#wallClock.nowSeconds();
  }

  readonly make: TryCall = async (call, mayRepeat = () => true) => {
    this.#budget.called();
    for (let retry = 0; ; retry++) {
      try {
        const result = await call();
        this.#failures = 0;
        return result;
      } catch (error) {
        this.errors++;
        this.#failed();
        const isLast = retry >= retriesMax || this.isClosed || this.isPaused || !mayRepeat();
        if (isLast || !this.#budget.take()) throw error;
        this.retries++;
        const waitMs = retryWaitMs * 2 ** retry * (0.5 + this.#random.next());
        await new Promise((resolve) => setTimeout(resolve, waitMs));
      }
    }
  };

  #failed(): void {
    if (++this.#failures < failuresMax) return;
    this.#failures = 0;
    this.#pausedUntilSeconds = this.#wallClock.nowSeconds() + pauseSeconds;
  }
}
