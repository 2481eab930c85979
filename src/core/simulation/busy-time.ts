// In which share of the time an engine was busy, up to a moment that is known only afterwards: the
// last arrival.

export class BusyTime {
  #seconds = 0;
  /** Of `#seconds`, what lies after the arrival at `arrivalSeconds`, if that was the last. */
  #after = { arrivalSeconds: 0, seconds: 0 };

  /**
   * Counts a span that has passed.
   *
   * @param lastArrivalSeconds Of the arrivals so far.
   */
  add(startSeconds: number, endSeconds: number, lastArrivalSeconds: number): void {
    if (this.#after.arrivalSeconds !== lastArrivalSeconds) {
      this.#after = { arrivalSeconds: lastArrivalSeconds, seconds: 0 };
    }
    this.#after.seconds += Math.max(0, endSeconds - Math.max(startSeconds, lastArrivalSeconds));
    this.#seconds += endSeconds - startSeconds;
  }

  /** Share of the time up to the last arrival; 1 if that was at 0 s. */
  shareUntil(lastArrivalSeconds: number): number {
    if (lastArrivalSeconds <= 0) return 1;
    const { arrivalSeconds, seconds } = this.#after;
    const later = arrivalSeconds === lastArrivalSeconds ? seconds : 0;
    return (this.#seconds - later) / lastArrivalSeconds;
  }
}
