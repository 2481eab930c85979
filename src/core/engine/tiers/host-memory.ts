// The chunks of LMCache in host memory: the least recently used one goes first, unless it is pinned.
import { LruMap } from '../../base/index.ts';
import type { BlockKey } from '../../kv/index.ts';

/** Pinned chunks: 262,144 tokens. */
const pinnedMax = 1024;

export class HostMemory {
  readonly #chunks: LruMap<BlockKey, true>;
  readonly #onEvict: (key: BlockKey) => void;
  /** Until when each stays. */
  readonly #pinned = new Map<BlockKey, number>();
  #nowSeconds = 0;

  /** @param chunksMax At least 1. */
  constructor(chunksMax: number, onEvict: (key: BlockKey) => void) {
    this.#onEvict = onEvict;
    this.#chunks = new LruMap({ entriesMax: chunksMax, onEvict: (key) => this.#evicted(key) });
  }

  get size(): number {
    return this.#chunks.size;
  }

  /** Pins end by it. */
  passTime(nowSeconds: number): void {
    this.#nowSeconds = nowSeconds;
  }

  has(key: BlockKey): boolean {
    return this.#chunks.has(key);
  }

  /** It counts as used. @returns False if it is not there. */
  use(key: BlockKey): boolean {
    return this.#chunks.get(key) ?? false;
  }

  add(key: BlockKey): void {
    this.#chunks.set(key, true);
  }

  /** @returns False if it is not there. */
  delete(key: BlockKey): boolean {
    this.#pinned.delete(key);
    return this.#chunks.delete(key);
  }

  /** A chunk gets another key, and counts as used; a pin stays. */
  rename(key: BlockKey, to: BlockKey): void {
    const untilSeconds = this.#pinned.get(key);
    if (!this.delete(key)) return;
    this.add(to);
    if (untilSeconds !== undefined) this.#pinned.set(to, untilSeconds);
  }

  /**
   * Keeps a chunk for this time; pins on at most half of the memory count.
   *
   * @returns False if it is not there.
   */
  pin(key: BlockKey, seconds: number): boolean {
    if (!this.#chunks.has(key)) return false;
    const isKnown = this.#pinned.delete(key);
    const pinsMax = Math.min(pinnedMax, Math.floor(this.#chunks.entriesMax / 2));
    if (isKnown || this.#pinned.size < pinsMax) this.#pinned.set(key, this.#nowSeconds + seconds);
    return true;
  }

  /** Forgets everything. @returns What it was. */
  clear(): readonly BlockKey[] {
    const keys = Array.from(this.#chunks.entries(), ([key]) => key);
    this.#chunks.clear();
    this.#pinned.clear();
    return keys;
  }

  /** The oldest chunk has to go; one that is pinned becomes the youngest, so that another one goes. */
  #evicted(key: BlockKey): void {
    const untilSeconds = this.#pinned.get(key);
    if (untilSeconds !== undefined && untilSeconds > this.#nowSeconds) {
      this.#chunks.set(key, true);
      return;
    }
    this.#pinned.delete(key);
    this.#onEvict(key);
  }
}
