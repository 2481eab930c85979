// The chunks of one tier: which ones it holds, which are in transfer, and which are evicted.
import { LruMap } from '../../base/index.ts';
import type { BlockKey } from '../../kv/index.ts';
import { Chunk } from './chunk-list.ts';
import { type EvictionPolicyName, evictionPolicy } from './eviction.ts';
import type { ChunkAccess } from './eviction-policy.ts';

export interface ChunkPoolOptions {
  /** Capacity; may be 0 or Infinity. */
  readonly chunksMax: number;
  /** @default 'lru' */
  readonly eviction?: EvictionPolicyName;
  /** Number of offers after which a chunk is stored; below 2: at the first offer. @default 0 */
  readonly storeThreshold?: number;
  /**
   * Maximum keys whose offers are counted; the least recently offered is dropped. @default 64_000, as
   * vLLM's
   */
  readonly trackedMax?: number;
  /** A store requests space for this many chunks. */
  readonly onAllocating?: (chunks: number) => void;
  readonly onStored?: (keys: readonly BlockKey[]) => void;
  readonly onRemoved?: (keys: readonly BlockKey[]) => void;
}

/** Flags of one request on one chunk. */
const [seen, inserted, reused, missed] = [1, 2, 4, 8];

/** How one request used the chunks of its prompt; created by `ChunkPool.access`. */
export class RequestAccess {
  readonly keys: BlockKey[] = [];
  readonly marks: number[] = [];
  readonly generation: number;

  constructor(generation: number) {
    this.generation = generation;
  }
}

/**
 * vLLM's `CPUOffloadingManager`. Chunks of a request are identified by their index in its prompt, from
 * which on `keys` count.
 *
 * @see vllm/v1/kv_offload/cpu/manager.py
 */
export class ChunkPool {
  readonly chunksMax: number;
  readonly #options: ChunkPoolOptions;
  readonly #policy;
  readonly #offers: LruMap<BlockKey, number> | undefined;
  #generation = 0;
  #writing = 0;
  #evictable = 0;
  #skipped = 0;
  #changes = 0;

  constructor(options: ChunkPoolOptions) {
    const { chunksMax, eviction = 'lru', storeThreshold = 0, trackedMax = 64_000 } = options;
    this.chunksMax = chunksMax;
    this.#options = options;
    this.#policy = evictionPolicy(eviction, chunksMax);
    this.#offers = storeThreshold >= 2 ? new LruMap({ entriesMax: trackedMax }) : undefined;
  }

  /** Chunks in the pool, including those being stored. */
  get chunks(): number {
    return this.#policy.size;
  }

  /** Chunks being stored. */
  get writing(): number {
    return this.#writing;
  }

  /** Chunks being read by a load. */
  get reading(): number {
    return this.chunks - this.#evictable - this.#writing;
  }

  /**
   * Incremented whenever contents or use change: without a change, a store that found no space would find
   * none again.
   */
  get changes(): number {
    return this.#changes;
  }

  /** Chunks not stored because they were offered too rarely. */
  get skipped(): number {
    return this.#skipped;
  }

  access(): RequestAccess {
    return new RequestAccess(this.#generation);
  }

  lookup(key: BlockKey): 'miss' | 'pending' | 'readable' {
    const chunk = this.#policy.get(key);
    if (chunk === undefined) return 'miss';
    return chunk.isReadable ? 'readable' : 'pending';
  }

  /** Pins readable chunks until `endLoad`. */
  beginLoad(keys: readonly BlockKey[], first: number, access: RequestAccess): void {
    for (const [i, key] of keys.entries()) {
      const chunk = this.#policy.get(key);
      if (!chunk?.isReadable) throw new Error(`Chunk ${key} is not available for loading`);
      if (chunk.readers++ === 0) this.#evictable--;
      this.#mark(access, first + i, key, seen | reused);
    }
  }

  /** Pins available chunks while something other than a request reads them, until `endLoad`. */
  hold(keys: readonly BlockKey[]): void {
    for (const key of keys) {
      const chunk = this.#policy.get(key);
      if (!chunk?.isReadable) throw new Error(`Chunk ${key} is not available for reading`);
      if (chunk.readers++ === 0) this.#evictable--;
    }
  }

  endLoad(keys: readonly BlockKey[]): void {
    for (const key of keys) {
      const chunk = this.#policy.get(key);
      if (!chunk || chunk.readers < 1) throw new Error(`Chunk ${key} is not being loaded`);
      if (--chunk.readers === 0) this.#evictable++;
    }
    this.#changes++;
  }

  /**
   * Allocates space for those of the chunks that are missing, all of them or none.
   *
   * @returns The keys to store, to be completed by `endStore`; undefined if there is no space now.
   */
  beginStore(
    keys: readonly BlockKey[],
    first: number,
    access: RequestAccess,
  ): readonly BlockKey[] | undefined {
    const wanted = this.#wanted(keys, first, access);
    if (wanted.length === 0) return [];
    this.#options.onAllocating?.(wanted.length);
    const lacking = wanted.length - (this.chunksMax - this.chunks);
    if (lacking > 0 && !this.#evict(lacking, keys)) return undefined;
    this.#writing += wanted.length;
    this.#changes++;
    return wanted.map((i) => {
      const key = keys[i] as BlockKey;
      this.#policy.insert(new Chunk(key));
      this.#mark(access, first + i, key, inserted);
      return key;
    });
  }

  /**
   * Allocates space for a chunk that comes from a lower tier, whatever the threshold. @returns False if
   * there is none.
   */
  beginPromotion(key: BlockKey, index: number, access: RequestAccess): boolean {
    this.#options.onAllocating?.(1);
    if (this.chunks >= this.chunksMax && !this.#evict(1, [key])) return false;
    this.#policy.missed([key]);
    this.#policy.insert(new Chunk(key));
    this.#mark(access, index, key, seen | inserted);
    this.#writing++;
    this.#changes++;
    return true;
  }

  endStore(keys: readonly BlockKey[]): void {
    for (const key of keys) {
      const chunk = this.#policy.get(key);
      if (chunk?.readers !== -1) throw new Error(`Chunk ${key} is not being stored`);
      chunk.readers = 0;
    }
    this.#writing -= keys.length;
    this.#evictable += keys.length;
    this.#changes++;
    this.#options.onStored?.(keys);
  }

  requestEnded(access: RequestAccess): void {
    if (access.generation !== this.#generation) return;
    const accesses: ChunkAccess[] = [];
    for (const [i, key] of access.keys.entries()) {
      const marks = access.marks[i] ?? 0;
      if (!(marks & seen)) continue;
      const isReused = (marks & reused) > 0;
      accesses.push({ key, onlyInserted: !isReused && (marks & inserted) > 0, reused: isReused });
    }
    this.#policy.requestEnded(accesses);
  }

  /** Forgets everything, including transfers in progress; these must no longer be ended here. */
  clear(): void {
    this.#policy.clear();
    this.#generation++;
    this.#changes++;
    this.#writing = 0;
    this.#evictable = 0;
  }

  /** @throws {Error} If the counts do not add up or a limit is exceeded. */
  audit(): void {
    if (this.chunks > this.chunksMax) throw new Error('more chunks than the tier has space for');
    if (this.#writing < 0 || this.#evictable < 0 || this.reading < 0) {
      throw new Error('chunks in use and chunks at rest do not add up');
    }
  }

  /** Indexes of the offered chunks that are missing and have been offered often enough. */
  #wanted(keys: readonly BlockKey[], first: number, access: RequestAccess): readonly number[] {
    const { storeThreshold = 0 } = this.#options;
    const offers = this.#offers;
    if (offers) countOffers(offers, keys);
    const wanted: number[] = [];
    const newlyMissed: BlockKey[] = [];
    for (const [i, key] of keys.entries()) {
      const chunk = this.#policy.get(key);
      if (chunk) {
        if (chunk.isReadable) this.#mark(access, first + i, key, seen | reused);
        continue;
      }
      if (offers && (offers.peek(key) ?? 0) < storeThreshold) {
        this.#skipped++;
        continue;
      }
      wanted.push(i);
      if (!((access.marks[first + i] ?? 0) & missed)) newlyMissed.push(key);
      this.#mark(access, first + i, key, seen | missed);
    }
    if (newlyMissed.length > 0) this.#policy.missed(newlyMissed);
    return wanted;
  }

  #evict(count: number, offered: readonly BlockKey[]): boolean {
    if (count > this.#evictable) return false;
    const kept = new Set(offered);
    const evicted = this.#policy.evict(count, (key) => kept.has(key));
    if (evicted === undefined) return false;
    this.#evictable -= evicted.length;
    this.#options.onRemoved?.(evicted.map(({ key }) => key));
    return true;
  }

  /** Reading a chunk that the same request stored is not a second use. */
  #mark(access: RequestAccess, index: number, key: BlockKey, marks: number): void {
    const before = access.marks[index] ?? 0;
    access.keys[index] = key;
    access.marks[index] = before | (before & inserted ? marks & ~reused : marks);
  }
}

/** Counts an offer of each key; keys of the current offer are not dropped for others of it. */
function countOffers(offers: LruMap<BlockKey, number>, keys: readonly BlockKey[]): void {
  let others = offers.size;
  const fresh: BlockKey[] = [];
  for (const key of keys) {
    const count = offers.get(key);
    if (count === undefined) fresh.push(key);
    else {
      offers.set(key, count + 1);
      others--;
    }
  }
  for (const key of fresh) {
    if (offers.size >= offers.entriesMax && others-- <= 0) return;
    offers.set(key, 1);
  }
}
