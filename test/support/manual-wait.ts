// Waits that a test ends, and a record of the requested pauses.

export class ManualWait {
  /** Every pause so far, in milliseconds. */
  readonly pausesMs: number[] = [];
  #release: (() => void) | undefined;
  #requested: (() => void) | undefined;

  readonly wait = (milliseconds: number, signal: AbortSignal): Promise<void> => {
    this.pausesMs.push(milliseconds);
    return new Promise((resolve) => {
      this.#release = resolve;
      signal.addEventListener('abort', () => resolve());
      this.#requested?.();
    });
  };

  /** Resolves when a caller waits. */
  async asked(): Promise<void> {
    if (this.#release !== undefined) return;
    await new Promise<void>((resolve) => {
      this.#requested = resolve;
    });
    this.#requested = undefined;
  }

  /** Ends the wait; begins one if no caller waits yet. */
  async pass(): Promise<void> {
    await this.asked();
    const release = this.#release;
    this.#release = undefined;
    release?.();
  }
}
