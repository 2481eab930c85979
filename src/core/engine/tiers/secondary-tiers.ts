// The tiers below host memory in vLLM's native offload: each chunk that reaches host memory is also
// written to every store, and a chunk that only a store holds is read into host memory before the GPU can
// load it.
import { MinHeap } from '../../base/index.ts';
import type { BlockKey } from '../../kv/index.ts';
import type { ChunkPool, RequestAccess } from './chunk-pool.ts';
import type { ChunkStore } from './chunk-store.ts';
import type { HitSource, TierResidency } from './contract.ts';

/** State of one request: the results of its lookups in the stores. */
export class StoreSearch {
  /** When the stores have responded; they are queried once for all chunks of a prompt. */
  answeredSeconds: number | undefined;
  /** The chunks that were last read for it. */
  source: HitSource | undefined;
  /** Each chunk is read once, so that two that evict each other do not alternate forever. */
  readonly brought = new Set<BlockKey>();
}

interface Transfer {
  readonly kind: 'promotion' | 'cascade' | 'answer';
  readonly keys: readonly BlockKey[];
}

/**
 * vLLM's `TieringOffloadingManager` around a `ChunkPool`. A chunk that is being read from a store takes
 * space in host memory at once and is pending there; one that is being written to a store is pinned in
 * host memory until it is written.
 *
 * @see vllm/v1/kv_offload/tiering/manager.py
 */
export class SecondaryTiers {
  readonly #stores: readonly ChunkStore[];
  readonly #pool: ChunkPool;
  readonly #lookupSeconds: number;
  #transfers = new MinHeap<Transfer>();
  /** Found since the last flush, to be read as one batch. */
  readonly #found = new Map<ChunkStore, BlockKey[]>();

  constructor(stores: readonly ChunkStore[], pool: ChunkPool) {
    this.#stores = stores;
    this.#pool = pool;
    // All stores are queried concurrently, each by a separate thread.
    this.#lookupSeconds = Math.max(0, ...stores.map(({ lookupSeconds }) => lookupSeconds));
  }

  /** When a transfer ends, or a lookup result arrives. */
  get nextSeconds(): number {
    return this.#transfers.leastRank;
  }

  get residencies(): readonly TierResidency[] {
    return this.#stores.flatMap(({ residencies }) => residencies);
  }

  /**
   * Looks up a chunk that host memory lacks, and starts to read it.
   *
   * @returns `miss` also if host memory has no space for it.
   */
  find(
    key: BlockKey,
    index: number,
    request: { readonly access: RequestAccess; readonly search: StoreSearch },
    nowSeconds: number,
  ): 'miss' | 'pending' {
    const { access, search } = request;
    if (search.answeredSeconds === undefined) {
      search.answeredSeconds = nowSeconds + this.#lookupSeconds;
      if (this.#lookupSeconds > 0) {
        this.#transfers.add(search.answeredSeconds, { kind: 'answer', keys: [] });
      }
    }
    if (search.answeredSeconds > nowSeconds) return 'pending';
    if (search.brought.has(key)) return 'miss';
    const store = this.#stores.find((one) => one.has(key, nowSeconds));
    if (store === undefined || !this.#pool.beginPromotion(key, index, access)) return 'miss';
    search.brought.add(key);
    search.source = store.source;
    const keys = this.#found.get(store);
    if (keys) keys.push(key);
    else this.#found.set(store, [key]);
    return 'pending';
  }

  /** Starts to read the chunks that were found. */
  flush(nowSeconds: number): void {
    for (const [store, keys] of this.#found) {
      const endSeconds = store.read(keys, nowSeconds);
      this.#transfers.add(endSeconds, { kind: 'promotion', keys });
    }
    this.#found.clear();
  }

  /** Chunks are in host memory: they are written to all stores. */
  cascade(keys: readonly BlockKey[], nowSeconds: number): void {
    for (const store of this.#stores) {
      const endSeconds = store.write(keys, nowSeconds);
      if (endSeconds === undefined) continue;
      this.#pool.hold(keys);
      this.#transfers.add(endSeconds, { kind: 'cascade', keys });
    }
  }

  /** Completes the transfers that have ended. */
  advance(nowSeconds: number): void {
    while (this.#transfers.leastRank <= nowSeconds) {
      const { kind, keys } = this.#transfers.take() as Transfer;
      if (kind === 'promotion') this.#pool.endStore(keys);
      else if (kind === 'cascade') this.#pool.endLoad(keys);
    }
  }

  /** Host memory was emptied; the stores keep their contents. */
  reset(): void {
    const before = this.#transfers;
    this.#transfers = new MinHeap();
    while (before.size > 0) {
      const endSeconds = before.leastRank;
      const transfer = before.take() as Transfer;
      if (transfer.kind === 'answer') this.#transfers.add(endSeconds, transfer);
    }
    this.#found.clear();
  }
}
