// A store below host memory: a disk of one engine, or a server or object store that several engines
// share.
import type { EvictionName } from '../../eviction/index.ts';
import type { BlockKey } from '../../kv/index.ts';
import { ChunkSet } from './chunk-set.ts';
import type { HitSource, LmcacheStore, TierResidency } from './contract.ts';
import { TransferLink, type TransferLinkOptions } from './transfer-link.ts';

export interface ChunkStoreOptions {
  readonly name: string;
  /** Capacity; may be Infinity. */
  readonly chunksMax: number;
  /** Which chunks go first. @default the least recently used ones */
  readonly eviction?: EvictionName | undefined;
  /** Size of one chunk of one engine. */
  readonly chunkBytes: number;
  /** Link shared by all its clients. */
  readonly read: TransferLinkOptions;
  readonly write: TransferLinkOptions;
  /** Latency of a lookup. @default 0 */
  readonly lookupSeconds?: number;
  /** The label of a hit here in vLLM's metrics. @default 'external_unspecified' */
  readonly source?: HitSource;
  /**
   * A lower store to which this one writes its chunks as well, and in which it finds chunks that it has
   * no space for.
   */
  readonly below?: ChunkStore | undefined;
  /** Times at which it fails, with everything that it held, and at which it is available again. */
  readonly outage?: { readonly fromSeconds: number; readonly untilSeconds: number } | undefined;
  /** Called for a chunk that is stored here, and for one that is evicted. */
  readonly onChange?: ((key: BlockKey, isStored: boolean) => void) | undefined;
}

/**
 * Engines on one clock that are given the same object share
 * it: its links are one queue, and no engine sees a chunk before it is written.
 *
 * Chunks written here also go to the store below once they have arrived; chunks read from there are kept
 * here, too. An outage loses what this store held, and hides the store below for its duration, but loses
 * nothing of that.
 */
export class ChunkStore implements LmcacheStore {
  readonly lookupSeconds: number;
  readonly source: HitSource;
  readonly #options: ChunkStoreOptions;
  readonly #read: TransferLink;
  readonly #write: TransferLink;
  readonly #chunks: ChunkSet;
  readonly usesChains: boolean;
  #isLost = false;

  constructor(options: ChunkStoreOptions) {
    const { lookupSeconds = 0, source = 'external_unspecified', eviction = 'lru' } = options;
    this.lookupSeconds = lookupSeconds;
    this.source = source;
    this.#options = options;
    this.#read = new TransferLink(options.read);
    this.#write = new TransferLink(options.write);
    this.#chunks = new ChunkSet({ ...options, eviction });
    this.usesChains = eviction === 'prefix';
  }

  get chunkReadSeconds(): number {
    return this.#options.chunkBytes / this.#options.read.bytesPerSecond;
  }

  /** Chunks of this store, then those below. */
  get residencies(): readonly TierResidency[] {
    const { name, chunksMax, chunkBytes, below } = this.#options;
    const chunks = this.#chunks.size;
    const own = {
      ...{ name, chunks, chunksMax, bytes: chunks * chunkBytes },
      ...{ writingShare: 0, readingShare: 0 },
    };
    return [own, ...(below?.residencies ?? [])];
  }

  /** Whether it is in this store or below. */
  has(key: BlockKey, nowSeconds: number): boolean {
    if (this.#isDown(nowSeconds)) return false;
    return this.#holds(key, nowSeconds) || (this.#options.below?.has(key, nowSeconds) ?? false);
  }

  /** How long a read of available chunks would take if it started now. */
  readSeconds(keys: readonly BlockKey[], nowSeconds: number): number {
    const { below, chunkBytes } = this.#options;
    const lower = below ? keys.filter((key) => !this.#holds(key, nowSeconds)) : [];
    const lowerSeconds = below && lower.length > 0 ? below.readSeconds(lower, nowSeconds) : 0;
    const bytes = keys.length * chunkBytes;
    return lowerSeconds + this.#read.estimateSeconds(bytes, nowSeconds, keys.length);
  }

  /** Reads available chunks. @returns When the last of them has arrived. */
  read(keys: readonly BlockKey[], nowSeconds: number): number {
    const { below, chunkBytes } = this.#options;
    const own = below ? keys.filter((key) => this.#holds(key, nowSeconds)) : keys;
    for (const key of own) this.#chunks.use(key);
    let endSeconds = nowSeconds;
    if (own.length > 0) {
      endSeconds = this.#read.transfer(own.length * chunkBytes, nowSeconds, own.length);
    }
    if (below === undefined || own.length === keys.length) return endSeconds;
    const held = new Set(own);
    const lower = keys.filter((key) => !held.has(key));
    const broughtSeconds = below.read(lower, nowSeconds);
    for (const key of lower) this.#chunks.set(key, broughtSeconds);
    const bytes = lower.length * chunkBytes;
    return Math.max(endSeconds, this.#read.transfer(bytes, broughtSeconds, lower.length));
  }

  /**
   * Writes the chunks that it does not hold, in the background.
   *
   * @returns When the last of them is stored; undefined if nothing was sent.
   */
  write(keys: readonly BlockKey[], nowSeconds: number): number | undefined {
    if (this.#isDown(nowSeconds)) return undefined;
    const { below, chunkBytes } = this.#options;
    const wanted = keys.filter((key) => !this.#chunks.has(key));
    let endSeconds: number | undefined;
    if (wanted.length > 0) endSeconds = this.#send(wanted, chunkBytes, nowSeconds);
    below?.write(keys, endSeconds ?? nowSeconds);
    return endSeconds;
  }

  follows(key: BlockKey, before: BlockKey): void {
    this.#chunks.follows(key, before);
    this.#options.below?.follows(key, before);
  }

  clear(): void {
    this.#chunks.clear();
    this.#options.below?.clear();
  }

  #send(keys: readonly BlockKey[], chunkBytes: number, nowSeconds: number): number {
    // Concurrent requests end together; otherwise one chunk arrives before the next.
    if (this.#options.write.requests) {
      const bytes = keys.length * chunkBytes;
      const endSeconds = this.#write.transfer(bytes, nowSeconds, keys.length);
      for (const key of keys) this.#chunks.set(key, endSeconds);
      return endSeconds;
    }
    let endSeconds = nowSeconds;
    for (const key of keys) {
      endSeconds = this.#write.transfer(chunkBytes, nowSeconds);
      this.#chunks.set(key, endSeconds);
    }
    return endSeconds;
  }

  #holds(key: BlockKey, nowSeconds: number): boolean {
    const ready = this.#chunks.readySeconds(key);
    return ready !== undefined && ready <= nowSeconds;
  }

  /** Time only moves forward, so lost chunks are forgotten at the first call after the outage. */
  #isDown(nowSeconds: number): boolean {
    const { outage } = this.#options;
    if (outage === undefined || nowSeconds < outage.fromSeconds) return false;
    if (!this.#isLost) this.#chunks.clear();
    this.#isLost = true;
    return nowSeconds < outage.untilSeconds;
  }
}
