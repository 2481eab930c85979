// A cache server below the host memory of an emulated LMCache: real bytes over a real connection, in the time that the
// emulated link would take.
import {
  type BlockKey,
  type LmcacheStore,
  TransferLink,
  type TransferLinkOptions,
} from '../../../core/engine/index.ts';
import { syntheticKv } from '../../../core/kv/index.ts';
import type { CacheClient } from '../../../io/cache-client/index.ts';
import { ChunkAnswers } from './chunk-answers.ts';
import type { ChunkValues } from './chunk-values.ts';
import type { LmcacheRemoteStats, OutsideWork } from './outside-work.ts';

/** Chunks that wait for the emulated link or for the server; later ones are not stored, which the log says once. */
const waitingMax = 4096;
/** Bytes on their way to the server; chunks beyond wait, as names without bytes, so that a slow server costs no memory. */
const sendingBytesMax = 256 << 20;

export interface RemoteStoreOptions {
  readonly client: CacheClient;
  /** What stands for a chunk. */
  readonly values: ChunkValues;
  /** Size of a chunk on the emulated link. */
  readonly chunkBytes: number;
  /** The emulated link, each way. */
  readonly link: TransferLinkOptions;
  readonly lookupSeconds: number;
  readonly outside: OutsideWork;
  /** LMCache's own name of a chunk; undefined if it has none. */
  readonly nameOf: (key: BlockKey) => bigint | undefined;
  /** Called when the server has stored a chunk, or has said whether it has it. */
  readonly onKnown: (key: BlockKey, isThere: boolean) => void;
  readonly log?: ((line: string) => void) | undefined;
  /** Monotonic milliseconds. */
  readonly nowMs: () => number;
}

export class RemoteStore implements LmcacheStore {
  readonly source = 'external_unspecified';
  /** The server tells what it holds on its own page. */
  readonly residencies = [];
  readonly lookupSeconds: number;
  readonly #options: RemoteStoreOptions;
  readonly #read: TransferLink;
  readonly #write: TransferLink;
  readonly #answers: ChunkAnswers;
  /** In the order of their times. */
  #waiting: { readonly key: BlockKey; readonly dueSeconds: number }[] = [];
  /** Behind the emulated link, in the order of their times. */
  #due: BlockKey[] = [];
  #sendingBytes = 0;
  #stats = {
    ...{ readRequests: 0, readBytes: 0, writeRequests: 0, writeBytes: 0 },
    ...{ failedReads: 0, failedWrites: 0, wrong: 0, dropped: 0, isHealthy: true },
  };

  constructor(options: RemoteStoreOptions) {
    this.#options = options;
    this.lookupSeconds = options.lookupSeconds;
    this.#read = new TransferLink(options.link);
    this.#write = new TransferLink(options.link);
    const { outside, onKnown, nowMs } = options;
    this.#answers = new ChunkAnswers({
      ...{ outside, onKnown, nowMs },
      find: async (keys, firstNeeded) => {
        try {
          return await this.#found(keys, firstNeeded);
        } catch (error) {
          this.#failed(error);
          return [];
        }
      },
    });
    options.outside.stats.push(() => this.stats);
    options.outside.onClose(() => options.client.close());
  }

  get stats(): LmcacheRemoteStats {
    return { ...this.#stats, waiting: this.#waiting.length + this.#due.length };
  }

  get nextSeconds(): number {
    return this.#waiting[0]?.dueSeconds ?? Number.POSITIVE_INFINITY;
  }

  prepare(keys: readonly BlockKey[], firstNeeded: number): boolean {
    return this.#answers.prepare(keys, firstNeeded);
  }

  has(key: BlockKey): boolean {
    return this.#answers.has(key);
  }

  readSeconds(keys: readonly BlockKey[], nowSeconds: number): number {
    return this.#read.estimateSeconds(keys.length * this.#options.chunkBytes, nowSeconds);
  }

  read(keys: readonly BlockKey[], nowSeconds: number): number {
    this.#answers.spend(keys);
    return this.#read.transfer(keys.length * this.#options.chunkBytes, nowSeconds, keys.length);
  }

  write(keys: readonly BlockKey[], nowSeconds: number): number | undefined {
    let endSeconds: number | undefined;
    for (const key of keys) {
      if (this.#waiting.length + this.#due.length >= waitingMax) {
        this.#dropped();
        continue;
      }
      endSeconds = this.#write.transfer(this.#options.chunkBytes, nowSeconds);
      this.#waiting.push({ key, dueSeconds: endSeconds });
    }
    return endSeconds;
  }

  advance(nowSeconds: number): void {
    let sent = 0;
    for (const { key, dueSeconds } of this.#waiting) {
      if (dueSeconds > nowSeconds) break;
      sent++;
      this.#due.push(key);
    }
    if (sent === 0) return;
    this.#waiting = this.#waiting.slice(sent);
    this.#sendDue();
  }

  /** Sends as many chunks as there is room for, and one at least. */
  #sendDue(): void {
    const { valueBytes } = this.#options.values;
    let sent = 0;
    for (const key of this.#due) {
      if (this.#sendingBytes > 0 && this.#sendingBytes + valueBytes > sendingBytesMax) break;
      sent++;
      this.#sendingBytes += valueBytes;
      void this.#send(key);
    }
    this.#due = this.#due.slice(sent);
  }

  #dropped(): void {
    if (this.#stats.dropped++ > 0) return;
    this.#options.log?.(
      `More than ${waitingMax} chunks wait for the cache server: later ones are not stored, as spillway_lmcache_dropped_chunks_total counts.`,
    );
  }

  /** The server keeps what it has: other engines use it, and `lm://` cannot delete. */
  clear(): void {
    this.#waiting = [];
    this.#due = [];
    this.#answers.clear();
  }

  /** @returns For each chunk up to the first that is missing, whether it can be used. */
  async #found(keys: readonly BlockKey[], firstNeeded: number): Promise<boolean[]> {
    const { client } = this.#options;
    const names = keys.map((key) => this.#nameOf(key));
    const replies = await Promise.all(names.map((name) => client.exists(name)));
    this.#stats.isHealthy = true;
    const end = replies.indexOf(false);
    const there = names.slice(0, end === -1 ? names.length : end);
    const loads = there.map((name, i) => (i < firstNeeded ? true : this.#load(name)));
    return Promise.all(loads);
  }

  async #load(name: string): Promise<boolean> {
    const {
      client,
      values: { valueBytes },
    } = this.#options;
    const expected = syntheticKv(name);
    let isRight = true;
    this.#stats.readRequests++;
    try {
      const size = await client.get(name, (bytes, offset) => {
        isRight &&= expected.matches(bytes, offset);
      });
      if (size === valueBytes && isRight) {
        this.#stats.readBytes += size;
        return true;
      }
      this.#stats.failedReads++;
      if (size === undefined) return false;
      this.#stats.wrong++;
      this.#options.log?.(
        `A chunk from the cache server was wrong (${size} bytes, ${valueBytes} expected): ${name}. It is computed again.`,
      );
    } catch (error) {
      this.#stats.failedReads++;
      this.#failed(error);
    }
    return false;
  }

  async #send(key: BlockKey): Promise<void> {
    const {
      client,
      values: { valueBytes },
    } = this.#options;
    const name = this.#nameOf(key);
    const value = new Uint8Array(valueBytes);
    syntheticKv(name).fill(value, 0);
    this.#stats.writeRequests++;
    try {
      await client.put(name, value);
      this.#stats.writeBytes += valueBytes;
      this.#options.onKnown(key, true);
    } catch (error) {
      this.#stats.failedWrites++;
      this.#failed(error);
    } finally {
      this.#sendingBytes -= valueBytes;
      this.#sendDue();
    }
  }

  /** Without the server, every chunk is missing, and is computed. */
  #failed(error: unknown): void {
    if (this.#stats.isHealthy) {
      const reason = error instanceof Error ? error.message : String(error);
      this.#options.log?.(`${reason} Chunks are computed again until it is back.`);
    }
    this.#stats.isHealthy = false;
  }

  #nameOf(key: BlockKey): string {
    const { values, nameOf } = this.#options;
    return values.nameOf(key, nameOf(key));
  }
}
