// Which resource is looked at next. A key that is added many times is worked once, never twice at a time, and again after
// it was added during its work; one that fails waits longer each time.
import type { Clock, Random } from '../base/index.ts';

/** Pause after the first failure, doubled for each further one. */
const firstPauseSeconds = 0.2;
const pauseSecondsMax = 60;

/** Keys waiting, each at most once: as many as there are resources, which the lists bound. */
export class WorkQueue {
  readonly #clock: Clock;
  readonly #random: Random;
  /** When each key is due. */
  readonly #due = new Map<string, number>();
  readonly #working = new Set<string>();
  /** Failures in a row. */
  readonly #failures = new Map<string, number>();

  constructor(clock: Clock, random: Random) {
    this.#clock = clock;
    this.#random = random;
  }

  /** Keys that wait or are worked on. */
  get size(): number {
    return new Set([...this.#due.keys(), ...this.#working]).size;
  }

  /** Wants a look at a key. An earlier due time stays. */
  add(key: string, afterSeconds = 0): void {
    const at = this.#clock.nowSeconds() + afterSeconds;
    this.#due.set(key, Math.min(at, this.#due.get(key) ?? Number.POSITIVE_INFINITY));
  }

  /** Takes the key that is due for the longest time; undefined if none is due. */
  take(): string | undefined {
    const now = this.#clock.nowSeconds();
    let first: string | undefined;
    let firstAt = now;
    for (const [key, at] of this.#due) {
      if (at > firstAt || (at === firstAt && first !== undefined) || this.#working.has(key))
        continue;
      first = key;
      firstAt = at;
    }
    if (first === undefined) return undefined;
    this.#due.delete(first);
    this.#working.add(first);
    return first;
  }

  /** The look at a key is over. After a failure it is due again, after a pause. */
  done(key: string, isFailed: boolean): void {
    this.#working.delete(key);
    if (!isFailed) {
      this.#failures.delete(key);
      return;
    }
    const failures = (this.#failures.get(key) ?? 0) + 1;
    this.#failures.set(key, failures);
    const pause = Math.min(pauseSecondsMax, firstPauseSeconds * 2 ** (failures - 1));
    this.#due.set(key, this.#clock.nowSeconds() + pause * (0.5 + 0.5 * this.#random.next()));
  }

  /** The resource is gone. */
  forget(key: string): void {
    this.#due.delete(key);
    this.#failures.delete(key);
  }

  /** Seconds until a key is due; undefined if none waits. */
  waitSeconds(): number | undefined {
    let first = Number.POSITIVE_INFINITY;
    for (const [key, at] of this.#due) if (!this.#working.has(key)) first = Math.min(first, at);
    return first === Number.POSITIVE_INFINITY
      ? undefined
      : Math.max(0, first - this.#clock.nowSeconds());
  }
}
