// Coarse time for deadlines: one timer for all sockets, so that reads and writes need no clock
// call.

/** An object with deadlines, checked on each tick. */
export interface Tickable {
  /** @param nowTick Number of ticks since the ticker started. */
  onTick(nowTick: number): void;
}

/** Counts ticks and notifies its members. A deadline is met up to one tick late. */
export class Ticker {
  readonly tickMs: number;
  /** Number of ticks so far. */
  now = 0;
  readonly #members = new Set<Tickable>();
  readonly #timer: NodeJS.Timeout;

  constructor(options: { readonly tickMs: number }) {
    this.tickMs = options.tickMs;
    this.#timer = setInterval(() => this.#tick(), options.tickMs);
    this.#timer.unref();
  }

  /**
   * Time by its ticks. A tick that comes late counts as one, so this clock all but stands still while the process
   * is paused, and a pause of our own is nobody's delay.
   */
  nowSeconds(): number {
    return (this.now * this.tickMs) / 1000;
  }

  add(member: Tickable): void {
    this.#members.add(member);
  }

  remove(member: Tickable): void {
    this.#members.delete(member);
  }

  /**
   * Returns the number of ticks in a duration, at least one; Infinity for 0, which means "no
   * timeout".
   */
  ticks(durationMs: number): number {
    return durationMs === 0 ? Number.POSITIVE_INFINITY : Math.ceil(durationMs / this.tickMs);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #tick(): void {
    this.now++;
    for (const member of this.#members) member.onTick(this.now);
  }
}
