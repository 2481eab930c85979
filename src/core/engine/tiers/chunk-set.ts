// The chunks of one store under its capacity, with the time at which each is written.
import {
  createEvictionOrder,
  type EvictionName,
  type EvictionOrder,
} from '../../eviction/index.ts';
import type { BlockKey } from '../../kv/index.ts';

export class ChunkSet {
  readonly #chunksMax: number;
  readonly #chunkBytes: number;
  readonly #create: () => EvictionOrder<BlockKey>;
  readonly #readySeconds = new Map<BlockKey, number>();
  readonly #onChange: ((key: BlockKey, isThere: boolean) => void) | undefined;
  #order: EvictionOrder<BlockKey>;

  /** @param options.chunksMax 0 for a store that holds nothing; may be Infinity. */
  constructor(options: {
    readonly chunksMax: number;
    readonly chunkBytes: number;
    readonly eviction: EvictionName;
    /** Called when a chunk is there, and when it was evicted. */
    readonly onChange?: ((key: BlockKey, isThere: boolean) => void) | undefined;
  }) {
    this.#chunksMax = Math.floor(options.chunksMax);
    this.#chunkBytes = options.chunkBytes;
    this.#create = () => createEvictionOrder(options.eviction);
    this.#onChange = options.onChange;
    this.#order = this.#create();
  }

  get size(): number {
    return this.#readySeconds.size;
  }

  has(key: BlockKey): boolean {
    return this.#readySeconds.has(key);
  }

  /** When it is written; undefined if it is not there. */
  readySeconds(key: BlockKey): number | undefined {
    return this.#readySeconds.get(key);
  }

  use(key: BlockKey): void {
    this.#order.use(key);
  }

  set(key: BlockKey, readySeconds: number): void {
    if (this.#chunksMax < 1) return;
    if (this.#readySeconds.has(key)) this.#order.use(key);
    else {
      if (this.#readySeconds.size >= this.#chunksMax) this.#evict();
      this.#order.add(key, this.#chunkBytes);
    }
    this.#readySeconds.set(key, readySeconds);
    this.#onChange?.(key, true);
  }

  follows(key: BlockKey, before: BlockKey): void {
    this.#order.follows(key, before, true);
  }

  clear(): void {
    this.#readySeconds.clear();
    this.#order = this.#create();
  }

  #evict(): void {
    for (const key of this.#order.candidates()) {
      this.#order.remove(key, true);
      this.#readySeconds.delete(key);
      this.#onChange?.(key, false);
      return;
    }
  }
}
