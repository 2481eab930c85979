// Hysteresis: a fleet grows at once, and shrinks to the largest number that was recommended within a window.

interface Recommendation {
  readonly atSeconds: number;
  readonly engines: number;
}

export class Stabilized {
  readonly #windowSeconds: number;
  /** As many as there are looks within the window. */
  #recent: Recommendation[] = [];

  constructor(windowSeconds: number) {
    this.#windowSeconds = windowSeconds;
  }

  /** Returns the number to have now. */
  add(atSeconds: number, engines: number): number {
    const from = atSeconds - this.#windowSeconds;
    this.#recent = this.#recent.filter((one) => one.atSeconds > from);
    this.#recent.push({ atSeconds, engines });
    return Math.max(...this.#recent.map((one) => one.engines));
  }
}
