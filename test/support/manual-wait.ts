// Waits that a test ends, and a record of the requested pauses.

export class ManualWait {
  /** Every pause so far, in milliseconds. */
  readonly pausesMs: number[] = [];
  /** Time that has passed: the longest of the waits that were ended together. */
  passedMs = 0;
  /** The waits under way: the function that ends each, and its length. */
  readonly #releases = new Map<() => void, number>();
  #requested: (() => void) | undefined;

  readonly wait = (milliseconds: number, signal: AbortSignal): Promise<void> => {
    this.pausesMs.push(milliseconds);
    return new Promise((resolve) => {
      if (signal.aborted) return resolve();
      const release = () => {
        this.#releases.delete(release);
        resolve();
      };
      this.#releases.set(release, milliseconds);
      signal.addEventListener('abort', release);
      this.#requested?.();
    });
  };

  /** Resolves when a caller waits. */
  async asked(): Promise<void> {
    if (this.#releases.size > 0) return;
    await new Promise<void>((resolve) => {
      this.#requested = resolve;
    });
    this.#requested = undefined;
  }

  /** Ends every wait under way; waits for one if there is none. */
  async pass(): Promise<void> {
    await this.asked();
    this.passedMs += Math.max(...this.#releases.values());
    for (const release of [...this.#releases.keys()]) release();
  }
}
