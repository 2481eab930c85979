// The chunks of one tier: what is in it, what is on its way in or out, and what has to go.
import { LruMap } from '../../base/index.ts';
import type { BlockKey } from '../../kv/index.ts';
import { Chunk } from './chunk-list.ts';
import { type ChunkAccess, type EvictionPolicyName, evictionPolicy } from './eviction.ts';

export interface ChunkPoolOptions {
  /** Capacity; may be 0 or Infinity. */
  readonly chunksMax: number;
  /** @default 'lru' */
  readonly eviction?: EvictionPolicyName;
  /** Offers after which a chunk is stored; below 2 at the first. @default 0 */
  readonly storeThreshold?: number;
  /** Keys whose offers are counted; the longest not offered goes. @default 64_000, as vLLM's */
  readonly trackedMax?: number;
  /** A store asks for room for so many chunks. */
  readonly onAllocating?: (chunks: number) => void;
  readonly onStored?: (keys: readonly BlockKey[]) => void;
  readonly onRemoved?: (keys: readonly BlockKey[]) => void;
}

/** Marks of one request on one chunk. */
const [seen, inserted, reused, missed] = [1, 2, 4, 8];

/** What one request did with the chunks of its prompt; made by `ChunkPool.access`. */
export class RequestAccess {
  readonly keys: BlockKey[] = [];
  readonly marks: number[] = [];
  readonly generation: number;

  constructor(generation: number) {
    this.generation = generation;
  }
}

/**
 * vLLM's `CPUOffloadingManager`. Chunks of a request are named by their index in its prompt, from
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

  /** Chunks in the pool, those on their way in included. */
  get chunks(): number {
    return this.#policy.size;
  }

  /** Chunks on their way in. */
  get writing(): number {
    return this.#writing;
  }

  /** Chunks that a load reads. */
  get reading(): number {
    return this.chunks - this.#evictable - this.#writing;
  }

  /** Counts up with each change of what is there or in use: without one, what found no room finds none. */
  get changes(): number {
    return this.#changes;
  }

  /** Chunks not stored for having been offered too seldom. */
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

  /** Holds readable chunks until `endLoad`. */
  beginLoad(keys: readonly BlockKey[], first: number, access: RequestAccess): void {
    for (const [i, key] of keys.entries()) {
      const chunk = this.#policy.get(key);
      if (!chunk?.isReadable) throw new Error(`Chunk ${key} is not there to be loaded`);
      if (chunk.readers++ === 0) this.#evictable--;
      this.#mark(access, first + i, key, seen | reused);
    }
  }

  /** Keeps chunks that are there while something else than a request reads them, until `endLoad`. */
  hold(keys: readonly BlockKey[]): void {
    for (const key of keys) {
      const chunk = this.#policy.get(key);
      if (!chunk?.isReadable) throw new Error(`Chunk ${key} is not there to be read`);
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
   * Makes room for those of the chunks that are not there, all of them or none.
   *
   * @returns The keys to store, to be ended by `endStore`; undefined if there is no room now.
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

  /** Makes room for a chunk that comes from below, whatever the threshold. @returns False if there is none. */
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

  /** Forgets all, also what is on its way; its transfers must not be ended here any more. */
  clear(): void {
    this.#policy.clear();
    this.#generation++;
    this.#changes++;
    this.#writing = 0;
    this.#evictable = 0;
  }

  /** @throws {Error} If the counts do not add up or a limit is passed. */
  audit(): void {
    if (this.chunks > this.chunksMax) throw new Error('more chunks than the tier has room for');
    if (this.#writing < 0 || this.#evictable < 0 || this.reading < 0) {
      throw new Error('chunks in use and chunks at rest do not add up');
    }
  }

  /** Of the chunks offered, those that are not there and were offered often enough: indexes. */
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

  /** To read again what one has stored oneself is no second use. */
  #mark(access: RequestAccess, index: number, key: BlockKey, marks: number): void {
    const before = access.marks[index] ?? 0;
    access.keys[index] = key;
    access.marks[index] = before | (before & inserted ? marks & ~reused : marks);
  }
}

/** Counts an offer of each key; keys of this very offer are not dropped for others of it. */
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
