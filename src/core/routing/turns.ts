// When each engine had its last turn: equals are served in turn, so that none is always first.
import type { Endpoint } from './contract.ts';

export class Turns {
  /** One entry per engine; entries leave with it. */
  readonly #last = new Map<Endpoint, number>();
  #turn = 0;

  /** The number of its last turn, 0 before the first: of equals, the lowest is next. */
  lastOf(endpoint: Endpoint): number {
    return this.#last.get(endpoint) ?? 0;
  }

  /** It is this engine's turn. */
  take(endpoint: Endpoint): void {
    this.#turn += 1;
    this.#last.set(endpoint, this.#turn);
  }

  /** The engine restarted or is gone. */
  forget(endpoint: Endpoint): void {
    this.#last.delete(endpoint);
  }
}
