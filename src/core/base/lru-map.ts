// A bounded map that evicts the least recently used entry when full.

/**
 * A map of at most `entriesMax` entries. Reading and writing an entry make it the youngest;
 * a write beyond the maximum evicts the oldest.
 *
 * @example
 * const map = new LruMap<string, number>({ entriesMax: 2 });
 * map.set('a', 1).set('b', 2).set('c', 3);
 * map.has('a'); // false
 */
export class LruMap<K, V> {
  readonly entriesMax: number;
  readonly #onEvict: ((key: K, value: V) => void) | undefined;
  // A JavaScript Map iterates in insertion order, so the first key is the oldest.
  readonly #entries = new Map<K, V>();

  constructor(options: { entriesMax: number; onEvict?: (key: K, value: V) => void }) {
    if (!(options.entriesMax >= 1)) throw new RangeError('entriesMax must be at least 1');
    this.entriesMax = options.entriesMax;
    this.#onEvict = options.onEvict;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Returns the value and makes its entry the youngest; undefined if absent. */
  get(key: K): V | undefined {
    const value = this.#entries.get(key);
    if (value === undefined) return undefined;
    this.#entries.delete(key);
    this.#entries.set(key, value);
    return value;
  }

  /** Returns the value without changing its age. */
  peek(key: K): V | undefined {
    return this.#entries.get(key);
  }

  has(key: K): boolean {
    return this.#entries.has(key);
  }

  set(key: K, value: V): this {
    this.#entries.delete(key);
    this.#entries.set(key, value);
    if (this.#entries.size > this.entriesMax) {
      for (const [oldest, evicted] of this.#entries) {
        this.#entries.delete(oldest);
        this.#onEvict?.(oldest, evicted);
        break;
      }
    }
    return this;
  }

  delete(key: K): boolean {
    return this.#entries.delete(key);
  }

  clear(): void {
    this.#entries.clear();
  }

  /** Oldest first. */
  entries(): IterableIterator<[K, V]> {
    return this.#entries.entries();
  }
}
