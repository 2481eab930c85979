// The object tier of the cache server: values in S3 or a compatible store, written behind. An index in memory comes from a
// listing, and from what this server wrote; a store that is slow or down costs misses only.
import type { Clock, Random } from '../../core/base/index.ts';
import {
  type LowerTier,
  type PlacedValue,
  type ReserveSpans,
  type ScanStep,
  type StoredValue,
  TierIndex,
  type ValueSource,
} from '../../core/cache/index.ts';
import { CountedEvents, type Logger } from '../log/index.ts';
import { GuardedCalls } from './guarded-calls.ts';
import { objectFolder, objectName, readObjectName } from './object-name.ts';
import { getInParts, putInParts } from './parts.ts';
import type { Objects } from './s3-objects.ts';
import { Turns } from './turns.ts';

/** Objects in the index; the least recently used one is forgotten, and stays in the store. */
const objectsMax = 1_000_000;
/** Values, and parts of values, that are uploaded at once: each part has a copy. */
const uploadsMax = 4;
/** The same for downloads; values that wait beyond the second bound are misses. */
const downloadsMax = 8;
const waitingDownloadsMax = 256;
/** Objects of one removal; S3's own limit. */
const removedAtOnce = 1000;
/** Removals that wait; beyond them, objects stay until somebody removes them. */
const removalsMax = 1_000_000;
/** Pages of one listing: ten times as many as `objectsMax` objects fill. */
const listedPagesMaxDefault = 10_000;
/** No upload takes as long; parts of older ones are of no use to anybody. */
const uploadSecondsMax = 86_400;
/** Uploads whose parts are to be removed later; those beyond are left to the bucket's lifecycle rule. */
const abandonedMax = 1000;
export interface ObjectTierOptions {
  readonly objects: Objects;
  /** Of all names; empty, or with a `/` at its end. */
  readonly prefix: string;
  /** Bound of the values that wait to be written; their memory cannot be evicted. */
  readonly waitingBytesMax: number;
  /** Seconds since 1970. */
  readonly wallClock: Clock;
  readonly random: Random;
  /** Told of values that are not written. @default nobody */
  readonly log?: Pick<Logger, 'warning'> | undefined;
  /** Time for one call. @default 10 s */
  readonly timeoutMs?: number;
  /** A value above this size is stored and loaded in parts of it. @default 8 MiB */
  readonly partBytes?: number;
  /** Time between two listings, which find what other servers wrote. @default 5 min */
  readonly listIntervalMs?: number;
  /** Pages of one listing. @default 10,000, ten times as many as `objectsMax` objects fill: a store may return less than full ones */
  readonly listedPagesMax?: number;
}

export interface ObjectStats {
  readonly entries: number;
  readonly bytes: number;
  readonly waitingBytes: number;
  readonly written: number;
  readonly read: number;
  /** Values not written: too many waited, the store failed, or the key is too long for a name. */
  readonly dropped: number;
  readonly corrupt: number;
  readonly retries: number;
  readonly errors: number;
}

interface Upload {
  readonly source: ValueSource;
  isCancelled: boolean;
}

export class ObjectTier implements LowerTier {
  readonly #options: Required<Omit<ObjectTierOptions, 'log'>>;
  readonly #index: TierIndex;
  readonly #calls: GuardedCalls;
  readonly #queue: Upload[] = [];
  readonly #uploads = new Map<string, Upload>();
  #uploading = 0;
  #waitingBytes = 0;
  readonly #uploadTurns = new Turns(uploadsMax);
  readonly #downloads = new Turns(downloadsMax);
  readonly #downloadTurns = new Turns(downloadsMax);
  readonly #removals = new Set<string>();
  /** Uploads whose parts could not be removed: tried again with the next value, the next listing and at the end. */
  readonly #abandoned: { readonly name: string; readonly upload: string }[] = [];
  #isRemoving = false;
  #isClosed = false;
  #listTimer: NodeJS.Timeout | undefined;
  #idle: (() => void)[] = [];
  readonly #droppedEvents: CountedEvents;
  readonly #counts = { written: 0, read: 0, dropped: 0, corrupt: 0 };

  constructor(options: ObjectTierOptions) {
    const standard = { timeoutMs: 10_000, partBytes: 8 << 20, listIntervalMs: 300_000 };
    this.#options = { ...standard, listedPagesMax: listedPagesMaxDefault, ...options };
    const { wallClock, random } = options;
    this.#calls = new GuardedCalls(wallClock, random);
    const bytesMax = Number.POSITIVE_INFINITY;
    this.#index = new TierIndex({ wallClock, bytesMax, filesMax: objectsMax });
    this.#droppedEvents = new CountedEvents({
      report: (count, causes) =>
        options.log?.warning(
          `--s3: ${count === 1 ? '1 value was' : `${count} values were`} not written: ${causes}`,
        ),
    });
  }

  /** Lists the objects, now and at each interval. @returns When the first listing has ended. */
  async start(): Promise<void> {
    await this.#list().catch(() => undefined);
    await this.#abortOld().catch(() => undefined);
    if (this.#isClosed) return;
    this.#listTimer = setTimeout(() => this.start(), this.#options.listIntervalMs);
    this.#listTimer.unref();
  }

  get stats(): ObjectStats {
    const { entries, bytes } = this.#index;
    const { retries, errors } = this.#calls;
    return { entries, bytes, waitingBytes: this.#waitingBytes, ...this.#counts, retries, errors };
  }

  keys(): Iterable<string> {
    return this.#index.keys();
  }

  find(key: string): StoredValue | undefined {
    const value = this.#index.get(key);
    if (value === undefined) return undefined;
    if (!this.#index.isExpired(value)) return value;
    this.delete(key);
    return undefined;
  }

  hold(value: StoredValue): void {
    this.#index.hold(value);
  }

  keep(source: ValueSource): void {
    const bytes = this.#waitingBytes + source.size;
    const isFull = bytes > this.#options.waitingBytesMax;
    if (this.#isClosed || this.#calls.isPaused || isFull) {
      const otherCause = this.#isClosed ? 'the server stops' : 'not tried after several failures';
      this.#drop(isFull ? 'the queue is full' : otherCause);
      source.release();
      return;
    }
    this.#cancel(source.key);
    const upload = { source, isCancelled: false };
    this.#waitingBytes = bytes;
    this.#uploads.set(source.key, upload);
    this.#queue.push(upload);
    this.#upload();
  }

  async read(value: StoredValue, reserve: ReserveSpans): Promise<boolean> {
    const isCrowded = this.#downloads.waiting >= waitingDownloadsMax;
    if (this.#isClosed || this.#calls.isPaused || isCrowded) return false;
    return await this.#downloads.run(async () => {
      const spans = reserve();
      if (spans === undefined) return false;
      const isThere = await getInParts({
        ...{ ...this.#partsOf((value as PlacedValue).path), turns: this.#downloadTurns },
        ...{ spans, size: value.size },
      }).catch(() => undefined);
      if (isThere) {
        this.#counts.read++;
        this.#index.touch(value);
        return true;
      }
      const isGone = isThere === false && this.#index.get(value.key) === value;
      if (isGone) this.#index.remove(value.key);
      return false;
    });
  }

  corrupt(value: StoredValue): void {
    this.#counts.corrupt++;
    if (this.#index.get(value.key) === value) this.delete(value.key);
  }

  delete(key: string): boolean {
    const isWaiting = this.#cancel(key);
    const value = this.#index.remove(key);
    if (value !== undefined) this.#remove(value.path);
    return isWaiting || value !== undefined;
  }

  clear(): void {
    for (const key of [...this.#uploads.keys(), ...this.#index.keys()]) this.delete(key);
  }

  scan(cursor: number, count: number): ScanStep {
    return this.#index.scan(cursor, count);
  }

  /** Resolves when nothing waits to be written or removed. */
  async flushed(): Promise<void> {
    while (this.#uploads.size + this.#uploading + this.#removals.size > 0 || this.#isRemoving) {
      await new Promise<void>((resolve) => this.#idle.push(resolve));
    }
    await this.#abortAbandoned();
  }

  close(): void {
    this.#isClosed = true;
    this.#calls.isClosed = true;
    clearTimeout(this.#listTimer);
    this.#droppedEvents.flush();
    for (const key of [...this.#uploads.keys()]) this.#cancel(key);
    this.#options.objects.close();
  }

  #cancel(key: string): boolean {
    const upload = this.#uploads.get(key);
    if (upload === undefined) return false;
    upload.isCancelled = true;
    this.#uploads.delete(key);
    return true;
  }

  #upload(): void {
    while (this.#uploading < uploadsMax) {
      const upload = this.#queue.shift();
      if (upload === undefined) return;
      this.#uploading++;
      this.#uploaded(upload).finally(() => {
        this.#uploading--;
        this.#waitingBytes -= upload.source.size;
        upload.source.release();
        if (this.#uploads.get(upload.source.key) === upload) {
          this.#uploads.delete(upload.source.key);
        }
        this.#upload();
        this.#rest();
      });
    }
  }

  async #uploaded(upload: Upload): Promise<void> {
    if (upload.isCancelled) return;
    const { source } = upload;
    const path = objectName(this.#options.prefix, source);
    if (path === undefined) {
      this.#drop('the key is too long for a name');
      return;
    }
    // The same bytes may have been removed just before.
    this.#removals.delete(path);
    const { spans, size: valueSize } = source;
    const parts = { ...this.#partsOf(path), turns: this.#uploadTurns, spans, size: valueSize };
    try {
      const abandoned = (id: string) => this.#abandon({ name: path, upload: id });
      await putInParts(parts, () => upload.isCancelled, abandoned);
    } catch (error) {
      if (!upload.isCancelled) this.#drop(causeOf(error));
      return;
    }
    if (upload.isCancelled) {
      // The same bytes may have been stored again meanwhile, under the same name.
      if (this.#index.get(source.key)?.path !== path) this.#remove(path);
      return;
    }
    const { key, size, label, checksum, expiresUnixSeconds } = source;
    this.#add({ key, size, label, checksum, expiresUnixSeconds, path, fileBytes: size });
    this.#counts.written++;
    await this.#abortAbandoned();
  }

  #drop(cause: string): void {
    this.#counts.dropped++;
    this.#droppedEvents.add(cause);
  }

  #abandon(one: { readonly name: string; readonly upload: string }): void {
    if (this.#abandoned.length < abandonedMax) this.#abandoned.push(one);
  }

  /** Removes the parts of servers that were killed during an upload, and of uploads whose beginning was not replied to in time. */
  async #abortOld(): Promise<void> {
    const { objects, prefix, timeoutMs, wallClock } = this.#options;
    const before = wallClock.nowSeconds() - uploadSecondsMax;
    for (const { name, upload, begunSeconds } of await objects.uploads(
      `${prefix}${objectFolder}`,
      timeoutMs,
    )) {
      if (begunSeconds < before) this.#abandon({ name, upload });
    }
    await this.#abortAbandoned();
  }

  async #abortAbandoned(): Promise<void> {
    const { objects, timeoutMs } = this.#options;
    for (const one of this.#abandoned.splice(0)) {
      const abort = () => objects.abortUpload(one.name, one.upload, timeoutMs);
      await this.#calls.make(abort).catch(() => this.#abandon(one));
    }
  }

  /** How all values are stored and loaded. */
  #partsOf(name: string) {
    const { objects, partBytes, timeoutMs } = this.#options;
    return { objects, name, partBytes, timeoutMs, make: this.#calls.make };
  }

  #add(value: PlacedValue): void {
    // Forgotten objects stay in the store.
    this.#index.makeRoom(value.fileBytes);
    const older = this.#index.get(value.key);
    if (older !== undefined && older.path !== value.path) this.#remove(older.path);
    this.#index.add(value);
  }

  #remove(path: string): void {
    if (this.#isClosed || this.#removals.size >= removalsMax) return;
    this.#removals.add(path);
    if (!this.#isRemoving) this.#removeAll();
  }

  async #removeAll(): Promise<void> {
    this.#isRemoving = true;
    // What is removed in the same turn goes in one call.
    await Promise.resolve();
    const { objects, timeoutMs } = this.#options;
    while (this.#removals.size > 0 && !this.#isClosed) {
      const paths = [...this.#removals].slice(0, removedAtOnce);
      for (const path of paths) this.#removals.delete(path);
      // An object that stays is found by a listing again.
      await this.#calls.make(() => objects.remove(paths, timeoutMs)).catch(() => undefined);
    }
    this.#isRemoving = false;
    this.#rest();
  }

  async #list(): Promise<void> {
    const { objects, prefix, timeoutMs, listedPagesMax } = this.#options;
    let after: string | undefined;
    for (let page = 0; page < listedPagesMax && !this.#isClosed; page++) {
      const token = after;
      const { objects: listed, next } = await this.#calls.make(() =>
        objects.list(`${prefix}${objectFolder}`, token, timeoutMs),
      );
      for (const { name, size } of listed) this.#found(name, size);
      // A store that says that the same page follows would be asked forever.
      if (next === undefined || next === token) return;
      after = next;
    }
  }

  #found(path: string, size: number): void {
    const named = readObjectName(this.#options.prefix, path);
    if (named === undefined || this.#uploads.has(named.key)) return;
    if (!Number.isSafeInteger(size) || size < 0) return;
    const value = { ...named, size, path, fileBytes: size };
    if (this.#index.isExpired(value)) {
      this.#remove(path);
      return;
    }
    // What this server wrote is newer than what it finds.
    if (this.#index.get(named.key) === undefined) this.#add(value);
  }

  #rest(): void {
    for (const resolve of this.#idle.splice(0)) resolve();
  }
}

/** Characters of a cause: a store chooses the names of its errors. */
const causeLengthMax = 64;

function causeOf(error: unknown): string {
  const { code, name } = error as NodeJS.ErrnoException;
  return String(code ?? name).slice(0, causeLengthMax);
}
