// A cache server below the host memory of an emulated LMCache: real bytes over a real connection, in the time that the
// emulated link would take.
import { createHash } from 'node:crypto';
import { LruMap } from '../../../core/base/index.ts';
import {
  type BlockKey,
  type LmcacheStore,
  TransferLink,
  type TransferLinkOptions,
} from '../../../core/engine/index.ts';
import { syntheticKv } from '../../../core/kv/index.ts';
import type { CacheClient } from '../../../io/cache-client/index.ts';
import type { LmcacheRemoteStats, OutsideWork } from './outside-work.ts';

/** Chunks whose state on the server is known; the least recently used one is asked for again. */
const answersMax = 65_536;
/** Time for which an answer holds after a request has used it: another engine may store or evict the chunk. */
const answerMs = 100;
/** Chunks that wait for the emulated link; later ones are not stored. */
const waitingMax = 4096;
/** Bytes on their way to the server; chunks beyond are not stored, so that a slow server costs no memory. */
const sendingBytesMax = 256 << 20;

export interface RemoteStoreOptions {
  readonly client: CacheClient;
  /** The part of a key before the hash, and behind it: LMCache's `model@world@worker@` and `@dtype`. */
  readonly keyHead: string;
  readonly keyTail: string;
  /** Size of a chunk on the emulated link, and of the value that stands for it. */
  readonly chunkBytes: number;
  readonly valueBytes: number;
  /** The emulated link, each way. */
  readonly link: TransferLinkOptions;
  readonly lookupSeconds: number;
  readonly outside: OutsideWork;
  /** LMCache's own name of a chunk, in hex; undefined if it has none. */
  readonly nameOf: (key: BlockKey) => string | undefined;
  /** Called when the server has stored a chunk, or has said whether it has it. */
  readonly onKnown: (key: BlockKey, isThere: boolean) => void;
  readonly log?: ((line: string) => void) | undefined;
  /** Monotonic milliseconds. */
  readonly nowMs: () => number;
}

interface Answer {
  isThere: boolean;
  /** Whether its bytes have come and were right. */
  isBrought: boolean;
  /** Whether a lookup has used it. */
  isUsed: boolean;
  readonly atMs: number;
}

export class RemoteStore implements LmcacheStore {
  readonly source = 'external_unspecified';
  /** The server tells what it holds on its own page. */
  readonly residencies = [];
  readonly lookupSeconds: number;
  readonly #options: RemoteStoreOptions;
  readonly #read: TransferLink;
  readonly #write: TransferLink;
  readonly #answers = new LruMap<BlockKey, Answer>({ entriesMax: answersMax });
  /** Chunks that are being asked for. */
  readonly #asked = new Set<BlockKey>();
  /** In the order of their times. */
  #waiting: { readonly key: BlockKey; readonly dueSeconds: number }[] = [];
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
    options.outside.stats.push(() => this.stats);
    options.outside.onClose(() => options.client.close());
  }

  get stats(): LmcacheRemoteStats {
    return { ...this.#stats, waiting: this.#waiting.length };
  }

  get nextSeconds(): number {
    return this.#waiting[0]?.dueSeconds ?? Number.POSITIVE_INFINITY;
  }

  prepare(keys: readonly BlockKey[], firstNeeded: number): boolean {
    const used: Answer[] = [];
    for (const [i, key] of keys.entries()) {
      if (this.#asked.has(key)) return false;
      const answer = this.#answers.get(key);
      const isNeeded = i >= firstNeeded;
      if (!this.#holds(answer) || (answer.isThere && isNeeded && !answer.isBrought)) {
        this.#ask(keys.slice(i), Math.max(0, firstNeeded - i));
        return false;
      }
      used.push(answer);
      if (!answer.isThere) break;
    }
    for (const answer of used) answer.isUsed = true;
    return true;
  }

  has(key: BlockKey): boolean {
    return this.#answers.peek(key)?.isThere ?? false;
  }

  readSeconds(keys: readonly BlockKey[], nowSeconds: number): number {
    return this.#read.estimateSeconds(keys.length * this.#options.chunkBytes, nowSeconds);
  }

  read(keys: readonly BlockKey[], nowSeconds: number): number {
    // What LMCache does not keep in host memory has to be loaded again by the next request.
    for (const key of keys) {
      const answer = this.#answers.peek(key);
      if (answer !== undefined) answer.isBrought = false;
    }
    return this.#read.transfer(keys.length * this.#options.chunkBytes, nowSeconds, keys.length);
  }

  write(keys: readonly BlockKey[], nowSeconds: number): number | undefined {
    let endSeconds: number | undefined;
    for (const key of keys) {
      if (this.#waiting.length >= waitingMax) {
        this.#stats.dropped++;
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
      void this.#send(key);
    }
    if (sent > 0) this.#waiting = this.#waiting.slice(sent);
  }

  /** The server keeps what it has: other engines use it, and `lm://` cannot delete. */
  clear(): void {
    this.#waiting = [];
    this.#answers.clear();
  }

  /** A fresh answer holds until a lookup has used it, so that a slow step does not ask again and again. */
  #holds(answer: Answer | undefined): answer is Answer {
    if (answer === undefined) return false;
    return !answer.isUsed || this.#options.nowMs() - answer.atMs < answerMs;
  }

  /** Looks up chunks in order, and loads the needed ones that are there. */
  #ask(keys: readonly BlockKey[], firstNeeded: number): void {
    const { outside } = this.#options;
    for (const key of keys) this.#asked.add(key);
    outside.pending++;
    const startMs = this.#options.nowMs();
    const found = this.#found(keys, firstNeeded).catch((error: unknown) => {
      this.#failed(error);
      return [];
    });
    void found.then((states) => {
      outside.pending--;
      for (const [i, key] of keys.entries()) {
        this.#asked.delete(key);
        const isThere = states[i] ?? false;
        const isBrought = isThere && i >= firstNeeded;
        const atMs = this.#options.nowMs();
        this.#answers.set(key, { isThere, isBrought, isUsed: false, atMs });
        this.#options.onKnown(key, isThere);
      }
      outside.wake(this.#options.nowMs() - startMs);
    });
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
    const { client, valueBytes } = this.#options;
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
    const { client, valueBytes } = this.#options;
    if (this.#sendingBytes + valueBytes > sendingBytesMax) {
      this.#stats.dropped++;
      return;
    }
    this.#sendingBytes += valueBytes;
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

  /** LMCache's hashes have 64 bits. Chunks that it would confuse with others have names of our own. */
  #nameOf(key: BlockKey): string {
    const { keyHead, keyTail, nameOf } = this.#options;
    const name = nameOf(key);
    if (name !== undefined) return `${keyHead}${name}${keyTail}`;
    const text = typeof key === 'string' ? key : key.toString(16);
    const hash = createHash('sha256').update(text, 'latin1').digest('hex').slice(0, 16);
    return `${keyHead}${hash}${keyTail}`;
  }
}
