// Values in memory, under a hard bound: the least recently used ones are evicted. A value is visible once all of its
// bytes are there, and is checked against its checksum each time it is read.
import type { Clock } from '../base/index.ts';
import { PageMemory, pageBytes } from './page-memory.ts';

/** Continues a checksum over more bytes; the first call has 0. */
export type Checksum = (bytes: Uint8Array, before: number) => number;

/** A client that was told that a value exists reads it within this time, or not at all. */
const existenceLeaseSeconds = 10;

/** Longest key. LMCache's are at most 150 characters over lm://, and those of Redis clients some dozens longer. */
const keyLengthMax = 4096;

/** Entries that an eviction looks at: those in use are skipped, but not without end. */
const evictionLooksMax = 1024;

export interface StoreStats {
  readonly entries: number;
  /** Bytes of values. */
  readonly bytes: number;
  readonly bytesMax: number;
  readonly hits: number;
  readonly misses: number;
  readonly evictions: number;
  /** Values that were not stored, because all others were in use or the value is larger than the memory. */
  readonly refused: number;
  /** Values whose bytes did not match their checksum; they were dropped. */
  readonly corrupt: number;
}

/** A value that is being received. */
export interface ValueWriter {
  /** Appends bytes. @throws {RangeError} If they are more than announced. */
  write(bytes: Uint8Array): void;
  /**
   * Makes the value visible, in place of an older one.
   *
   * @param ttlSeconds Time after which it expires. @default never
   * @throws {RangeError} If bytes are missing.
   */
  commit(ttlSeconds?: number): void;
  /** Gives the memory back; nothing becomes visible. */
  abort(): void;
}

/** A value that is being read; it stays as it is until `release`. */
export interface ValueLease {
  readonly size: number;
  readonly spans: readonly Uint8Array[];
  /** What the client stored beside the value. */
  readonly label: Uint8Array | undefined;
  release(): void;
}

interface Entry {
  readonly key: string;
  readonly pages: readonly number[];
  readonly size: number;
  readonly checksum: number;
  readonly label: Uint8Array | undefined;
  expiresSeconds: number;
  /** Not evicted before this time. */
  heldUntilSeconds: number;
  leases: number;
  /** No longer in the store; its pages are released with the last lease. */
  isGone: boolean;
}

/** A store of values by key, in one process. */
export class MemoryStore {
  readonly #memory: PageMemory;
  readonly #clock: Clock;
  readonly #checksum: Checksum;
  /** Least recently used first. */
  readonly #entries = new Map<string, Entry>();
  #bytes = 0;
  readonly #counts = { hits: 0, misses: 0, evictions: 0, refused: 0, corrupt: 0 };

  /** @param options.bytesMax Hard bound of the values' memory. */
  constructor(options: {
    readonly bytesMax: number;
    readonly clock: Clock;
    readonly checksum: Checksum;
  }) {
    this.#memory = new PageMemory(options.bytesMax);
    this.#clock = options.clock;
    this.#checksum = options.checksum;
  }

  /**
   * Reserves memory for a value, evicting others.
   *
   * @param label Kept with the value and returned with it, at most a few dozen bytes.
   * @returns undefined if there is no room: the value is larger than the memory, all others are in use, or the key is too
   *   long. An older value of the key is dropped then, because its client believes it to be replaced.
   */
  reserve(key: string, size: number, label?: Uint8Array): ValueWriter | undefined {
    // An empty value takes a page, too: the number of entries is bounded by the memory.
    const count = Math.max(1, Math.ceil(size / pageBytes));
    if (key.length > keyLengthMax || !this.#makeRoom(count)) {
      this.#counts.refused++;
      this.delete(key);
      return undefined;
    }
    const pages = this.#memory.take(count) as number[];
    return new PagesWriter(this.#memory, pages, size, this.#checksum, (checksum, ttlSeconds) => {
      this.delete(key);
      const now = this.#clock.nowSeconds();
      this.#entries.set(key, {
        ...{ key, pages, size, checksum, label },
        expiresSeconds: now + ttlSeconds,
        heldUntilSeconds: 0,
        leases: 0,
        isGone: false,
      });
      this.#bytes += size;
    });
  }

  /** Returns a value, or undefined if there is none whose bytes are right. */
  lease(key: string): ValueLease | undefined {
    const entry = this.#live(key);
    if (entry === undefined) {
      this.#counts.misses++;
      return undefined;
    }
    const spans = this.#memory.spans(entry.pages, entry.size);
    let checksum = 0;
    for (const span of spans) checksum = this.#checksum(span, checksum);
    if (checksum !== entry.checksum) {
      this.#counts.corrupt++;
      this.#counts.misses++;
      this.#drop(entry);
      return undefined;
    }
    this.#touch(entry);
    this.#counts.hits++;
    entry.leases++;
    let isReleased = false;
    return {
      size: entry.size,
      spans,
      label: entry.label,
      release: () => {
        if (isReleased) return;
        isReleased = true;
        entry.leases--;
        if (entry.isGone && entry.leases === 0) this.#memory.release(entry.pages);
      },
    };
  }

  /** Whether there is a value; one that exists is not evicted for the next 10 s. */
  exists(key: string): boolean {
    const entry = this.#live(key);
    if (entry === undefined) return false;
    entry.heldUntilSeconds = this.#clock.nowSeconds() + existenceLeaseSeconds;
    this.#touch(entry);
    return true;
  }

  /** Size in bytes, or undefined without a value. */
  size(key: string): number | undefined {
    return this.#live(key)?.size;
  }

  /** Seconds until the value expires, Infinity if it does not, undefined without a value. */
  ttlSeconds(key: string): number | undefined {
    const entry = this.#live(key);
    return entry && entry.expiresSeconds - this.#clock.nowSeconds();
  }

  /** Sets when a value expires. @returns Whether there is one. */
  expire(key: string, ttlSeconds: number): boolean {
    const entry = this.#live(key);
    if (entry === undefined) return false;
    entry.expiresSeconds = this.#clock.nowSeconds() + ttlSeconds;
    return true;
  }

  /** @returns Whether there was a value. */
  delete(key: string): boolean {
    const entry = this.#live(key);
    if (entry !== undefined) this.#drop(entry);
    return entry !== undefined;
  }

  /** Keys, least recently used first; values that have expired may be among them. */
  keys(): MapIterator<string> {
    return this.#entries.keys();
  }

  clear(): void {
    for (const entry of [...this.#entries.values()]) this.#drop(entry);
  }

  get stats(): StoreStats {
    return {
      entries: this.#entries.size,
      bytes: this.#bytes,
      bytesMax: this.#memory.pages * pageBytes,
      ...this.#counts,
    };
  }

  #live(key: string): Entry | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    const now = this.#clock.nowSeconds();
    // A client that was told of a value gets it, even if its time is over meanwhile.
    if (Math.max(entry.expiresSeconds, entry.heldUntilSeconds) > now) return entry;
    this.#drop(entry);
    return undefined;
  }

  #touch(entry: Entry): void {
    this.#entries.delete(entry.key);
    this.#entries.set(entry.key, entry);
  }

  #drop(entry: Entry): void {
    this.#entries.delete(entry.key);
    this.#bytes -= entry.size;
    entry.isGone = true;
    if (entry.leases === 0) this.#memory.release(entry.pages);
  }

  #makeRoom(pages: number): boolean {
    if (pages > this.#memory.pages) return false;
    const now = this.#clock.nowSeconds();
    let looks = 0;
    for (const entry of this.#entries.values()) {
      if (this.#memory.freePages >= pages) return true;
      if (looks++ >= evictionLooksMax) return false;
      if (entry.leases > 0 || entry.heldUntilSeconds > now) continue;
      if (entry.expiresSeconds > now) this.#counts.evictions++;
      this.#drop(entry);
    }
    return this.#memory.freePages >= pages;
  }
}

class PagesWriter implements ValueWriter {
  readonly #memory: PageMemory;
  readonly #pages: readonly number[];
  readonly #spans: readonly Uint8Array[];
  readonly #size: number;
  readonly #checksumOf: Checksum;
  readonly #onCommit: (checksum: number, ttlSeconds: number) => void;
  #checksum = 0;
  #span = 0;
  #offset = 0;
  #written = 0;
  #isEnded = false;

  constructor(
    memory: PageMemory,
    pages: readonly number[],
    size: number,
    checksum: Checksum,
    onCommit: (checksum: number, ttlSeconds: number) => void,
  ) {
    this.#memory = memory;
    this.#pages = pages;
    this.#spans = memory.spans(pages, size);
    this.#size = size;
    this.#checksumOf = checksum;
    this.#onCommit = onCommit;
  }

  write(bytes: Uint8Array): void {
    if (this.#isEnded || this.#written + bytes.length > this.#size) {
      throw new RangeError(`${bytes.length} bytes after ${this.#written} of ${this.#size}`);
    }
    this.#checksum = this.#checksumOf(bytes, this.#checksum);
    this.#written += bytes.length;
    for (let at = 0; at < bytes.length; ) {
      const span = this.#spans[this.#span] as Uint8Array;
      const part = bytes.subarray(at, at + span.length - this.#offset);
      span.set(part, this.#offset);
      at += part.length;
      this.#offset += part.length;
      if (this.#offset === span.length) {
        this.#span++;
        this.#offset = 0;
      }
    }
  }

  commit(ttlSeconds = Number.POSITIVE_INFINITY): void {
    if (this.#isEnded || this.#written !== this.#size) {
      throw new RangeError(`${this.#written} of ${this.#size} bytes are written`);
    }
    this.#isEnded = true;
    this.#onCommit(this.#checksum, ttlSeconds);
  }

  abort(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#memory.release(this.#pages);
  }
}
