// Coarse time for deadlines: one timer for all sockets, so that a read or write costs no clock call.

/** Something with deadlines, looked at on each tick. */
export interface Tickable {
  /** @param nowTick Ticks since the ticker began. */
  onTick(nowTick: number): void;
}

/** Counts ticks and tells its members. A deadline is met up to one tick late. */
export class Ticker {
  readonly tickMs: number;
  /** Ticks so far. */
  now = 0;
  readonly #members = new Set<Tickable>();
  readonly #timer: NodeJS.Timeout;

  constructor(options: { readonly tickMs: number }) {
    this.tickMs = options.tickMs;
    this.#timer = setInterval(() => this.#tick(), options.tickMs);
    this.#timer.unref();
  }

  add(member: Tickable): void {
    this.#members.add(member);
  }

  remove(member: Tickable): void {
    this.#members.delete(member);
  }

  /** Ticks in a duration, at least one; Infinity for 0, which stands for "no deadline". */
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
