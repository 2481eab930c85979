// S3-FIFO (Yang et al., "FIFO Queues are All You Need for Cache Eviction", SOSP 2023): new values pass a small queue, and
// those that nobody reads there leave at once. Values that are read, or come back soon after they left, go to the main queue.
import type { EvictionOrder } from './eviction-order.ts';

/** Share of all bytes that the small queue has before it is evicted from (§4.1 of the paper). */
const smallShare = 0.1;
/** Reads that are counted, two bits (§4.1). */
const readsMax = 3;
/** Reads in the small queue that take a value to the main queue (Algorithm 1: more than one). */
const readsToMain = 2;

interface Item {
  readonly bytes: number;
  reads: number;
}

export class S3FifoOrder<Key = string> implements EvictionOrder<Key> {
  readonly #items = new Map<Key, Item>();
  /** Oldest first. */
  readonly #small = new Set<Key>();
  readonly #main = new Set<Key>();
  /** Keys that left the small queue unread, at most as many as there are values; oldest first. */
  readonly #ghosts = new Set<Key>();
  #smallBytes = 0;
  #bytes = 0;

  add(key: Key, bytes: number): void {
    this.#items.set(key, { bytes, reads: 0 });
    this.#bytes += bytes;
    if (this.#ghosts.delete(key)) this.#main.add(key);
    else {
      this.#small.add(key);
      this.#smallBytes += bytes;
    }
  }

  use(key: Key): void {
    const item = this.#items.get(key);
    if (item !== undefined) item.reads = Math.min(readsMax, item.reads + 1);
  }

  remove(key: Key, isEvicted: boolean): void {
    const item = this.#items.get(key);
    if (item === undefined) return;
    this.#items.delete(key);
    this.#bytes -= item.bytes;
    this.#main.delete(key);
    if (!this.#small.delete(key)) return;
    this.#smallBytes -= item.bytes;
    if (isEvicted) this.#remember(key);
  }

  follows(): void {}

  *candidates(): Iterable<Key> {
    /** Values in use: what is read now is worth keeping, so that they are in the main queue. */
    const passed = new Set<Key>();
    for (;;) {
      const [small] = this.#small;
      const [main] = this.#main;
      const isMainDone = main === undefined || passed.has(main);
      let key: Key | undefined;
      if (small !== undefined && (isMainDone || this.#smallBytes > smallShare * this.#bytes)) {
        key = this.#goesFromSmall(small) ? small : undefined;
      } else if (!isMainDone) key = this.#goesFromMain(main) ? main : undefined;
      else break;
      if (key === undefined) continue;
      yield key;
      const item = this.#items.get(key);
      if (item === undefined) continue;
      passed.add(key);
      this.#toMain(key, item);
    }
    // Values that were read, behind those in use.
    for (const key of this.#main) if (!passed.has(key)) yield key;
  }

  /** Whether the oldest key of the small queue goes; otherwise it goes on to the main queue. */
  #goesFromSmall(key: Key): boolean {
    const item = this.#items.get(key) as Item;
    if (item.reads < readsToMain) return true;
    item.reads = 0;
    this.#toMain(key, item);
    return false;
  }

  /** Whether the oldest key of the main queue goes; otherwise it has another round. */
  #goesFromMain(key: Key): boolean {
    const item = this.#items.get(key) as Item;
    if (item.reads === 0) return true;
    item.reads--;
    this.#toMain(key, item);
    return false;
  }

  #toMain(key: Key, item: Item): void {
    if (this.#small.delete(key)) this.#smallBytes -= item.bytes;
    this.#main.delete(key);
    this.#main.add(key);
  }

  #remember(key: Key): void {
    this.#ghosts.add(key);
    for (const oldest of this.#ghosts) {
      if (this.#ghosts.size <= Math.max(1, this.#items.size)) break;
      this.#ghosts.delete(oldest);
    }
  }
}
