// A store below host memory: a disk of one engine, or a server, an object store, that several share.
import { LruMap } from '../../base/index.ts';
import type { BlockKey } from '../../kv/index.ts';
import type { TierResidency } from './contract.ts';
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
  /** When it is gone, with all that it held, and when it answers again. */
  readonly outage?: { readonly fromSeconds: number; readonly untilSeconds: number } | undefined;
}

/**
 * Least recently used goes first. Give the same object to several engines on one clock and they share
 * it: its links are one queue, and nobody sees a chunk before it is written.
 */
export class ChunkStore {
  readonly #options: ChunkStoreOptions;
  readonly #read: TransferLink;
  readonly #write: TransferLink;
  /** By chunk, when it is written. */
  readonly #readySeconds: LruMap<BlockKey, number> | undefined;
  #isLost = false;

  constructor(options: ChunkStoreOptions) {
    const { chunksMax } = options;
    this.#options = options;
    this.#read = new TransferLink(options.read);
    this.#write = new TransferLink(options.write);
    // A store without room is one that holds nothing.
    this.#readySeconds = chunksMax >= 1 ? new LruMap({ entriesMax: chunksMax }) : undefined;
  }

  get residency(): TierResidency {
    const { name, chunksMax, chunkBytes } = this.#options;
    const chunks = this.#readySeconds?.size ?? 0;
    return {
      name,
      chunks,
      chunksMax,
      bytes: chunks * chunkBytes,
      writingShare: 0,
      readingShare: 0,
    };
  }

  has(key: BlockKey, nowSeconds: number): boolean {
    if (this.#isDown(nowSeconds)) return false;
    const ready = this.#readySeconds?.peek(key);
    return ready !== undefined && ready <= nowSeconds;
  }

  /** Reads chunks that are there. @returns When the last of them has come. */
  read(keys: readonly BlockKey[], nowSeconds: number): number {
    for (const key of keys) this.#readySeconds?.get(key);
    return this.#read.transfer(keys.length * this.#options.chunkBytes, nowSeconds);
  }

  /** Writes what it does not hold, behind the engine's back. @returns Chunks that were sent. */
  write(keys: readonly BlockKey[], nowSeconds: number): number {
    if (this.#isDown(nowSeconds)) return 0;
    const wanted = keys.filter((key) => !this.#readySeconds?.has(key));
    if (wanted.length === 0) return 0;
    const { chunkBytes } = this.#options;
    for (const key of wanted) {
      this.#readySeconds?.set(key, this.#write.transfer(chunkBytes, nowSeconds));
    }
    return wanted.length;
  }

  clear(): void {
    this.#readySeconds?.clear();
  }

  /** Time only goes forward, so what was lost is forgotten at the first question after it. */
  #isDown(nowSeconds: number): boolean {
    const { outage } = this.#options;
    if (outage === undefined || nowSeconds < outage.fromSeconds) return false;
    if (!this.#isLost) this.clear();
    this.#isLost = true;
    return nowSeconds < outage.untilSeconds;
  }
}
