// Copies of other servers' values go before a server's own ones, each kind in an order of its own.
import type { EvictionOrder } from '../eviction/index.ts';

/** Keys of both kinds. A copy that a client reads here is as good as the server's own from then on. */
export class CopiesFirst {
  readonly #own: EvictionOrder;
  readonly #copies: EvictionOrder;
  /** Bytes of the values that are copies, by key. */
  readonly #bytes = new Map<string, number>();

  constructor(createOrder: () => EvictionOrder) {
    this.#own = createOrder();
    this.#copies = createOrder();
  }

  add(key: string, bytes: number, isCopy: boolean): void {
    if (isCopy) this.#bytes.set(key, bytes);
    this.#orderOf(key).add(key, bytes);
  }

  /** A value was read, or a client was told that it exists. */
  use(key: string): void {
    this.own(key);
    this.#own.use(key);
  }

  /** A copy is none from now on. */
  own(key: string): void {
    const bytes = this.#bytes.get(key);
    if (bytes === undefined) return;
    this.remove(key, false);
    this.#own.add(key, bytes);
  }

  remove(key: string, isEvicted: boolean): void {
    this.#orderOf(key).remove(key, isEvicted);
    this.#bytes.delete(key);
  }

  /** As `EvictionOrder.follows`. */
  follows(key: string, before: string): void {
    this.#own.follows(key, before, false);
    this.#copies.follows(key, before, false);
  }

  /** All keys that may go for a value, the first one first: only copies for another copy. */
  *candidates(forCopy: boolean): Iterable<string> {
    yield* this.#copies.candidates();
    if (!forCopy) yield* this.#own.candidates();
  }

  #orderOf(key: string): EvictionOrder {
    return this.#bytes.has(key) ? this.#copies : this.#own;
  }
}
