// The share of the time in which an engine was busy, up to a moment that is known only afterwards: the
// last arrival.

export class BusyTime {
  #seconds = 0;
  /** The part of `#seconds` that lies after the arrival at `#arrivalSeconds`, if that was the last. */
  #secondsAfter = 0;
  #arrivalSeconds = 0;

  /**
   * Counts completed steps, in order.
   *
   * @param endsSeconds End of each step.
   * @param lastArrivalSeconds The latest arrival so far.
   */
  add(startSeconds: number, endsSeconds: readonly number[], lastArrivalSeconds: number): void {
    let seconds = this.#seconds;
    let after = this.#arrivalSeconds === lastArrivalSeconds ? this.#secondsAfter : 0;
    let from = startSeconds;
    for (const to of endsSeconds) {
      if (to > lastArrivalSeconds) after += to - Math.max(from, lastArrivalSeconds);
      seconds += to - from;
      from = to;
    }
    this.#seconds = seconds;
    this.#secondsAfter = after;
    this.#arrivalSeconds = lastArrivalSeconds;
  }

  /** Busy share of the time up to the last arrival; 1 if that was at 0 s. */
  shareUntil(lastArrivalSeconds: number): number {
    if (lastArrivalSeconds <= 0) return 1;
    const later = this.#arrivalSeconds === lastArrivalSeconds ? this.#secondsAfter : 0;
    return (this.#seconds - later) / lastArrivalSeconds;
  }
}
