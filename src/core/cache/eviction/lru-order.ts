// The least recently used value goes first.
import type { EvictionOrder } from './eviction-order.ts';

export class LruOrder implements EvictionOrder {
  /** Least recently used first. */
  readonly #keys = new Set<string>();

  add(key: string): void {
    this.#keys.add(key);
  }

  use(key: string): void {
    if (this.#keys.delete(key)) this.#keys.add(key);
  }

  remove(key: string): void {
    this.#keys.delete(key);
  }

  follows(): void {}

  candidates(): Iterable<string> {
    return this.#keys;
  }
}
