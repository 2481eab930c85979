// The sum of one counter over pods that come, go and restart. A sum of the pods that are there would fall with each that goes.

export class CounterTotal {
  /** As many as there are pods. */
  #last: ReadonlyMap<string, number> = new Map();
  #isFirst = true;
  #total = 0;

  /**
   * Adds what has been counted since the last call. What pods had counted before the first call is no news.
   *
   * @param present All pods that exist; one whose counter is undefined was not read, and its next value counts from the last.
   */
  add(present: ReadonlyMap<string, number | undefined>): number {
    const next = new Map<string, number>();
    for (const [pod, value] of present) {
      const before = this.#last.get(pod);
      if (value === undefined) {
        if (before !== undefined) next.set(pod, before);
        continue;
      }
      next.set(pod, value);
      // A pod that is new has counted since it came, and one that was restarted from 0.
      if (before === undefined || value < before) this.#total += this.#isFirst ? 0 : value;
      else this.#total += value - before;
    }
    this.#last = next;
    this.#isFirst = false;
    return this.#total;
  }
}
