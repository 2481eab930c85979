// Which of the other servers reply: cluster clients should not be sent to one that is gone.

/** Checks in a row that fail before a server counts as gone: one may be late under load. */
const failuresMax = 2;

export class PeerHealth {
  readonly #ask: (name: string) => Promise<unknown>;
  readonly #onChange: (name: string, failure: unknown) => void;
  readonly #failures = new Map<string, number>();
  /** Servers whose last check has not ended. */
  readonly #asked = new Set<string>();

  /**
   * @param ask Rejects if a server does not reply in time.
   * @param onChange Called when a server is gone, with what went wrong, or has come back.
   */
  constructor(
    ask: (name: string) => Promise<unknown>,
    onChange: (name: string, failure: unknown) => void,
  ) {
    this.#ask = ask;
    this.#onChange = onChange;
  }

  isGone(name: string): boolean {
    return (this.#failures.get(name) ?? 0) >= failuresMax;
  }

  /** Asks each of these servers, and forgets others. */
  async check(names: readonly string[]): Promise<void> {
    for (const name of this.#failures.keys()) {
      if (!names.includes(name)) this.#failures.delete(name);
    }
    await Promise.all(names.map((name) => this.#checkOne(name)));
  }

  async #checkOne(name: string): Promise<void> {
    if (this.#asked.has(name)) return;
    this.#asked.add(name);
    const before = this.isGone(name);
    const failure = await this.#ask(name).then(
      () => undefined,
      (error: unknown) => error ?? 'no reply',
    );
    this.#asked.delete(name);
    this.#failures.set(name, failure === undefined ? 0 : (this.#failures.get(name) ?? 0) + 1);
    if (this.isGone(name) !== before) this.#onChange(name, failure);
  }
}
