// The least recently used value goes first.
import type { EvictionOrder } from './eviction-order.ts';

export class LruOrder<Key = string> implements EvictionOrder<Key> {
  /** Least recently used first. */
  readonly #keys = new Set<Key>();

  add(key: Key): void {
    this.#keys.add(key);
  }

  use(key: Key): void {
    if (this.#keys.delete(key)) this.#keys.add(key);
  }

  remove(key: Key): void {
    this.#keys.delete(key);
  }

  follows(): void {}

  candidates(): Iterable<Key> {
    return this.#keys;
  }
}
