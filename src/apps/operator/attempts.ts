// Actions on engines: each runs once at a time, and one that failed waits longer each time before it is tried again.
import type { Clock, Random } from '../../core/base/index.ts';
import type { Attempt } from '../../core/operator/index.ts';

/** Actions that run at a time; others wait for the next look. */
const runningMax = 32;
const firstPauseSeconds = 2;
const pauseSecondsMax = 300;

interface Failed {
  readonly attempt: Attempt;
  readonly failures: number;
  readonly dueSeconds: number;
}

/** As many entries as there are actions wanted: others are forgotten with `keepOnly`. */
export class Attempts {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #running = new Map<string, Promise<void>>();
  readonly #failed = new Map<string, Failed>();

  constructor(clock: Clock, random: Random) {
    this.#clock = clock;
    this.#random = random;
  }

  /** All of them, by key. */
  get known(): ReadonlyMap<string, Attempt> {
    const known = new Map<string, Attempt>();
    for (const [key, { attempt }] of this.#failed) known.set(key, attempt);
    for (const key of this.#running.keys()) {
      if (!known.has(key)) known.set(key, { state: 'running' });
    }
    return known;
  }

  /** Starts an action, unless it runs, waits after a failure, or too many run. */
  start(
    key: string,
    work: () => Promise<void>,
    failure: (error: unknown) => Attempt,
    ended: () => void,
  ): void {
    const before = this.#failed.get(key);
    const now = this.#clock.nowSeconds();
    if (this.#running.has(key) || this.#running.size >= runningMax) return;
    if (before !== undefined && before.dueSeconds > now) return;
    const running = work()
      .then(
        () => this.#failed.delete(key),
        (error: unknown) => {
          const failures = (before?.failures ?? 0) + 1;
          const pause = Math.min(pauseSecondsMax, firstPauseSeconds * 2 ** (failures - 1));
          const dueSeconds = this.#clock.nowSeconds() + pause * (0.5 + 0.5 * this.#random.next());
          this.#failed.set(key, { attempt: failure(error), failures, dueSeconds });
        },
      )
      .then(() => {
        this.#running.delete(key);
        ended();
      });
    this.#running.set(key, running);
  }

  /** Forgets failures of actions in a namespace that are no longer wanted. */
  keepOnly(wanted: ReadonlySet<string>): void {
    for (const key of this.#failed.keys()) {
      if (!wanted.has(key) && !this.#running.has(key)) this.#failed.delete(key);
    }
  }

  /** Seconds until an action of these may be tried again; undefined if none waits. */
  waitSeconds(keys: Iterable<string>): number | undefined {
    let first = Number.POSITIVE_INFINITY;
    for (const key of keys) first = Math.min(first, this.#failed.get(key)?.dueSeconds ?? first);
    return first === Number.POSITIVE_INFINITY
      ? undefined
      : Math.max(0, first - this.#clock.nowSeconds());
  }

  /** Resolves when none runs. */
  async settled(): Promise<void> {
    await Promise.all(this.#running.values());
  }
}
