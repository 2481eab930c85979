// How often failed calls may be repeated: a store that is down must not get a multiple of its load.

/** Retries for each call, on average. */
const retriesPerCall = 0.1;
/** Retries that may be saved up. */
const savedMax = 10;

/** A budget that all calls share. */
export class RetryBudget {
  #saved = savedMax;

  /** Counts a call that is no retry. */
  called(): void {
    this.#saved = Math.min(savedMax, this.#saved + retriesPerCall);
  }

  /** Takes a retry. @returns Whether there was one. */
  take(): boolean {
    if (this.#saved < 1) return false;
    this.#saved--;
    return true;
  }
}
