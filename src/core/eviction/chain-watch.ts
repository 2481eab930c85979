// Which chunk follows which, from what one client does. Keys of LMCache are hashes that say nothing of it, but a client looks the
// chunks of a prompt up in order, loads them in order, and stores the rest in order.

/** What a client does with a key. */
export type ChainStep = 'look up' | 'load' | 'store';

/** One connection's sequence of requests. */
export class ChainWatch {
  readonly #follows: (key: string, before: string) => void;
  #step: ChainStep | undefined;
  #last: string | undefined;

  /** @param follows Called with what was concluded; prompts whose requests take turns on a connection make it wrong. */
  constructor(follows: (key: string, before: string) => void) {
    this.#follows = follows;
  }

  /** @param isThere Whether there was a value; a miss ends a chain of lookups or loads. */
  saw(step: ChainStep, key: string, isThere = true): void {
    if (step === this.#step && this.#last !== undefined) this.#follows(key, this.#last);
    this.#step = step;
    this.#last = isThere ? key : undefined;
  }
}
