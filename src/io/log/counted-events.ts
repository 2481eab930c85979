// Events that may come by the thousand, in a few lines of the log: the first one at once, then how many there were of each cause.

/** Time between two lines about the same kind of event. */
const intervalMsDefault = 60_000;
/** Causes that are told apart; further ones are counted together. */
const causesMax = 16;
const otherCauses = 'other causes';

export interface CountedEventsOptions {
  /**
   * Writes the line.
   *
   * @param causes With their counts, the most frequent one first: `ENOSPC (3), the queue is full (2)`.
   */
  readonly report: (count: number, causes: string) => void;
  /** @default one minute */
  readonly intervalMs?: number;
}

export class CountedEvents {
  readonly #report: CountedEventsOptions['report'];
  readonly #intervalMs: number;
  readonly #counts = new Map<string, number>();
  #timer: NodeJS.Timeout | undefined;

  constructor({ report, intervalMs = intervalMsDefault }: CountedEventsOptions) {
    this.#report = report;
    this.#intervalMs = intervalMs;
  }

  /** Counts an event. */
  add(cause: string): void {
    const isKnown = this.#counts.has(cause) || this.#counts.size < causesMax;
    const counted = isKnown ? cause : otherCauses;
    this.#counts.set(counted, (this.#counts.get(counted) ?? 0) + 1);
    if (this.#timer === undefined) this.flush();
  }

  /** Reports what was counted since the last line. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#counts.size === 0) return;
    const counts = [...this.#counts].toSorted(([, a], [, b]) => b - a);
    this.#counts.clear();
    const total = counts.reduce((sum, [, count]) => sum + count, 0);
    this.#report(total, counts.map(([cause, count]) => `${cause} (${count})`).join(', '));
    this.#timer = setTimeout(() => this.flush(), this.#intervalMs).unref();
  }
}
