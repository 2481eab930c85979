// A store below host memory: a disk of one engine, or a server, an object store, that several share.
import { LruMap } from '../../base/index.ts';
import type { BlockKey } from '../../kv/index.ts';
import type { HitSource, TierResidency } from './contract.ts';
import { TransferLink, type TransferLinkOptions } from './transfer-link.ts';

export interface ChunkStoreOptions {
  readonly name: string;
  /** Capacity; may be Infinity. */
  readonly chunksMax: number;
  /** What one chunk of one engine comes to. */
  readonly chunkBytes: number;
  /** Of all its clients together. */
  readonly read: TransferLinkOptions;
  readonly write: TransferLinkOptions;
  /** From asking whether chunks are there to the answer. @default 0 */
  readonly lookupSeconds?: number;
  /** How vLLM's metrics call a hit here. @default 'external_unspecified' */
  readonly source?: HitSource;
  /** What the store itself keeps its chunks in as well, and finds there what it has no room for. */
  readonly below?: ChunkStore | undefined;
  /** When it is gone, with all that it held, and when it answers again. */
  readonly outage?: { readonly fromSeconds: number; readonly untilSeconds: number } | undefined;
}

/**
 * Least recently used goes first. Give the same object to several engines on one clock and they share
 * it: its links are one queue, and nobody sees a chunk before it is written.
 *
 * What is written goes to the store below once it is here; what is read from there stays here, too. An
 * outage takes what the store held, and hides what is below for as long, but loses none of that.
 */
export class ChunkStore {
  readonly lookupSeconds: number;
  readonly source: HitSource;
  readonly #options: ChunkStoreOptions;
  readonly #read: TransferLink;
  readonly #write: TransferLink;
  /** By chunk, when it is written. */
  readonly #readySeconds: LruMap<BlockKey, number> | undefined;
  #isLost = false;

  constructor(options: ChunkStoreOptions) {
    const { chunksMax, lookupSeconds = 0, source = 'external_unspecified' } = options;
    this.lookupSeconds = lookupSeconds;
    this.source = source;
    this.#options = options;
    this.#read = new TransferLink(options.read);
    this.#write = new TransferLink(options.write);
    // A store without room is one that holds nothing.
    this.#readySeconds = chunksMax >= 1 ? new LruMap({ entriesMax: chunksMax }) : undefined;
  }

  /** Its own, then what is below. */
  get residencies(): readonly TierResidency[] {
    const { name, chunksMax, chunkBytes, below } = this.#options;
    const chunks = this.#readySeconds?.size ?? 0;
    const own = {
      ...{ name, chunks, chunksMax, bytes: chunks * chunkBytes },
      ...{ writingShare: 0, readingShare: 0 },
    };
    return [own, ...(below?.residencies ?? [])];
  }

  /** Here or below. */
  has(key: BlockKey, nowSeconds: number): boolean {
    if (this.#isDown(nowSeconds)) return false;
    return this.#holds(key, nowSeconds) || (this.#options.below?.has(key, nowSeconds) ?? false);
  }

  /** How long reading chunks that are there would take if it began now. */
  readSeconds(keys: readonly BlockKey[], nowSeconds: number): number {
    const { below, chunkBytes } = this.#options;
    const lower = below ? keys.filter((key) => !this.#holds(key, nowSeconds)) : [];
    const lowerSeconds = below && lower.length > 0 ? below.readSeconds(lower, nowSeconds) : 0;
    const bytes = keys.length * chunkBytes;
    return lowerSeconds + this.#read.estimateSeconds(bytes, nowSeconds, keys.length);
  }

  /** Reads chunks that are there. @returns When the last of them has come. */
  read(keys: readonly BlockKey[], nowSeconds: number): number {
    const { below, chunkBytes } = this.#options;
    const own = below ? keys.filter((key) => this.#holds(key, nowSeconds)) : keys;
    for (const key of own) this.#readySeconds?.get(key);
    let endSeconds = nowSeconds;
    if (own.length > 0) {
      endSeconds = this.#read.transfer(own.length * chunkBytes, nowSeconds, own.length);
    }
    if (below === undefined || own.length === keys.length) return endSeconds;
    const held = new Set(own);
    const lower = keys.filter((key) => !held.has(key));
    const broughtSeconds = below.read(lower, nowSeconds);
    for (const key of lower) this.#readySeconds?.set(key, broughtSeconds);
    const bytes = lower.length * chunkBytes;
    return Math.max(endSeconds, this.#read.transfer(bytes, broughtSeconds, lower.length));
  }

  /**
   * Writes what it does not hold, behind the engine's back.
   *
   * @returns When the last of it is here; undefined if nothing was sent.
   */
  write(keys: readonly BlockKey[], nowSeconds: number): number | undefined {
    if (this.#isDown(nowSeconds)) return undefined;
    const { below, chunkBytes } = this.#options;
    const wanted = keys.filter((key) => !this.#readySeconds?.has(key));
    let endSeconds: number | undefined;
    if (wanted.length > 0) endSeconds = this.#send(wanted, chunkBytes, nowSeconds);
    below?.write(keys, endSeconds ?? nowSeconds);
    return endSeconds;
  }

  clear(): void {
    this.#readySeconds?.clear();
    this.#options.below?.clear();
  }

  #send(keys: readonly BlockKey[], chunkBytes: number, nowSeconds: number): number {
    // Many requests at once end together; else one chunk is there before the next.
    if (this.#options.write.requests) {
      const bytes = keys.length * chunkBytes;
      const endSeconds = this.#write.transfer(bytes, nowSeconds, keys.length);
      for (const key of keys) this.#readySeconds?.set(key, endSeconds);
      return endSeconds;
    }
    let endSeconds = nowSeconds;
    for (const key of keys) {
      endSeconds = this.#write.transfer(chunkBytes, nowSeconds);
      this.#readySeconds?.set(key, endSeconds);
    }
    return endSeconds;
  }

  #holds(key: BlockKey, nowSeconds: number): boolean {
    const ready = this.#readySeconds?.peek(key);
    return ready !== undefined && ready <= nowSeconds;
  }

  /** Time only goes forward, so what was lost is forgotten at the first question after it. */
  #isDown(nowSeconds: number): boolean {
    const { outage } = this.#options;
    if (outage === undefined || nowSeconds < outage.fromSeconds) return false;
    if (!this.#isLost) this.#readySeconds?.clear();
    this.#isLost = true;
    return nowSeconds < outage.untilSeconds;
  }
}
