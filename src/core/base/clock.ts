// Time as an input: the simulator and the tests pass a clock that they advance themselves.

/** A monotonic clock. */
export interface Clock {
  /** Seconds since an arbitrary origin; never goes back. */
  nowSeconds(): number;
}

/**
 * A clock that moves only when it is advanced.
 *
 * @example
 * const clock = new ManualClock();
 * clock.advance(0.5);
 * clock.nowSeconds(); // 0.5
 */
export class ManualClock implements Clock {
  #seconds: number;

  constructor(startSeconds = 0) {
    this.#seconds = startSeconds;
  }

  nowSeconds(): number {
    return this.#seconds;
  }

  /** @throws {RangeError} If `seconds` is negative: the clock is monotonic. */
  advance(seconds: number): void {
    if (!(seconds >= 0)) throw new RangeError(`A clock cannot advance by ${seconds} s`);
    this.#seconds += seconds;
  }

  /** Moves to `seconds` if that is later than now; otherwise does nothing. */
  advanceTo(seconds: number): void {
    if (seconds > this.#seconds) this.#seconds = seconds;
  }
}
