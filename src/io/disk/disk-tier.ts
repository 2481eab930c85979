// The disk tier of the cache server: one file for each value, written behind, and read on demand. The memory path never
// waits for it: an index in memory answers, writes queue up to a bound, and a disk that fails or hangs is left alone.
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import type { Clock } from '../../core/base/index.ts';
import {
  type LowerTier,
  type PlacedValue,
  type ReserveSpans,
  type ScanStep,
  type StoredValue,
  TierIndex,
  type ValueSource,
} from '../../core/cache/index.ts';
import type { EvictionOrder } from '../../core/eviction/index.ts';
import { CountedEvents, type Logger } from '../log/index.ts';
import { type DiskFiles, diskFiles } from './disk-files.ts';
import { NewFiles } from './new-files.ts';
import { openFolder } from './open-folder.ts';
import { readFile } from './read-file.ts';
import { bodyOffset, writeHead } from './value-file.ts';

/** Values read and written at once. */
const readsMax = 3;
const writesMax = 2;
/** Reads that wait for their turn; one more is a miss. */
const waitingReadsMax = 256;
/** Files; a value takes one. */
const filesMax = 1_000_000;
/** Bytes that a file takes at least: a block. */
const blockBytes = 4096;
/** After this many failed writes in a row, none is tried for a time. */
const failuresMax = 3;
const pauseSeconds = 10;
/** Removals that wait; beyond them, values are not removed but found at the next start, and removed then. */
const removalsMax = 100_000;

export interface DiskTierOptions {
  readonly folder: string;
  /** Bound of all files. */
  readonly bytesMax: number;
  /** Bound of the values that wait to be written; their memory cannot be evicted. */
  readonly waitingBytesMax: number;
  /** Seconds since 1970. */
  readonly wallClock: Clock;
  /** Which values go first. @default the least recently used ones */
  readonly createOrder?: (() => EvictionOrder) | undefined;
  /** Told of entries that are no files of this server, and of values that are not written. @default nobody */
  readonly log?: Pick<Logger, 'warning'> | undefined;
  /** @default those of this machine */
  readonly files?: DiskFiles;
}

export interface DiskStats {
  readonly entries: number;
  readonly bytes: number;
  readonly bytesMax: number;
  /** Bytes that wait to be written. */
  readonly waitingBytes: number;
  readonly written: number;
  readonly read: number;
  readonly evictions: number;
  /** Values that were not written: too many waited, the disk failed, or there was no room. */
  readonly dropped: number;
  /** Values whose bytes or heads were wrong. */
  readonly corrupt: number;
  readonly readErrors: number;
  readonly writeErrors: number;
}

const queueIsFull = 'the queue is full';

function ignoredNote(folder: string, count: number): string {
  const what = count === 1 ? '1 entry is no file' : `${count} entries are no files`;
  const them = count === 1 ? 'It is ignored, and takes' : 'They are ignored, and take';
  return `--disk ${folder}: ${what} of this server: of other names or owners, links, FIFOs, sockets, devices or folders. ${them} space beyond --disk-size.`;
}

/** A value that waits to be written. */
interface Writing {
  readonly source: ValueSource;
  isCancelled: boolean;
}

export class DiskTier implements LowerTier {
  readonly #options: DiskTierOptions;
  readonly #files: DiskFiles;
  readonly #newFiles: NewFiles;
  readonly #index: TierIndex;
  /** By key; the one that is being written is among them. */
  readonly #writings = new Map<string, Writing>();
  readonly #queue: Writing[] = [];
  readonly #removals: string[] = [];
  #workers = 0;
  #idle: (() => void)[] = [];
  #waitingBytes = 0;
  /** Room of the files that are being written. */
  #reservedBytes = 0;
  #reads = 0;
  readonly #waitingReads: (() => void)[] = [];
  #serial: number;
  #failures = 0;
  #pausedUntilSeconds = 0;
  #pausedFor = '';
  #isClosed = false;
  readonly #droppedEvents: CountedEvents;
  readonly #counts = {
    ...{ written: 0, read: 0, evictions: 0, dropped: 0 },
    ...{ corrupt: 0, readErrors: 0, writeErrors: 0 },
  };

  private constructor(options: DiskTierOptions, index: TierIndex, serial: number) {
    this.#options = options;
    this.#files = options.files ?? diskFiles;
    this.#newFiles = new NewFiles(this.#files);
    this.#index = index;
    this.#serial = serial;
    const { folder, log } = options;
    this.#droppedEvents = new CountedEvents({
      report: (count, causes) =>
        log?.warning(
          `--disk ${folder}: ${count === 1 ? '1 value was' : `${count} values were`} not written: ${causes}`,
        ),
    });
  }

  /**
   * Opens a folder, which belongs to one server at a time, with the values of an earlier one.
   *
   * @throws {InputError} If it cannot be read or created.
   */
  static async open(options: DiskTierOptions): Promise<DiskTier> {
    const { folder, bytesMax, wallClock, createOrder, files = diskFiles } = options;
    const found = await openFolder(folder, files);
    const index = new TierIndex({ wallClock, bytesMax, filesMax, createOrder });
    const tier = new DiskTier(options, index, found.serial);
    tier.#counts.corrupt += found.broken;
    if (found.ignored > 0) options.log?.warning(ignoredNote(folder, found.ignored));
    tier.#remove(found.useless);
    for (const value of found.values) {
      const evicted = index.isExpired(value) ? undefined : index.makeRoom(value.fileBytes);
      tier.#remove((evicted ?? []).map(({ path }) => path));
      if (evicted !== undefined && index.hasRoom(value.fileBytes)) index.add(value);
      else tier.#remove([value.path]);
    }
    return tier;
  }

  get stats(): DiskStats {
    return {
      ...{ entries: this.#index.entries, bytes: this.#index.bytes },
      ...{ bytesMax: this.#options.bytesMax, waitingBytes: this.#waitingBytes },
      ...this.#counts,
    };
  }

  get entries(): number {
    return this.#index.entries;
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

  follows(key: string, before: string): void {
    this.#index.follows(key, before);
  }

  hold(value: StoredValue): void {
    this.#index.hold(value);
  }

  keep(source: ValueSource): void {
    const isPaused = this.#pausedUntilSeconds > this.#options.wallClock.nowSeconds();
    const bytes = this.#waitingBytes + source.size;
    const isFull = bytes > this.#options.waitingBytesMax;
    if (this.#isClosed || isPaused || isFull) {
      this.#drop(isFull ? queueIsFull : this.#isClosed ? 'the server stops' : this.#pausedFor);
      source.release();
      return;
    }
    this.#cancel(source.key);
    const writing = { source, isCancelled: false };
    this.#waitingBytes = bytes;
    this.#writings.set(source.key, writing);
    this.#queue.push(writing);
    this.#work();
  }

  async read(value: StoredValue, reserve: ReserveSpans): Promise<boolean> {
    const { path } = value as PlacedValue;
    if (this.#isClosed || this.#waitingReads.length >= waitingReadsMax) return false;
    if (this.#reads < readsMax) this.#reads++;
    else await new Promise<void>((resolve) => this.#waitingReads.push(resolve));
    try {
      const file = await this.#files.open(path, 'r');
      try {
        const spans = reserve();
        if (spans === undefined) return false;
        if (!(await readFile(file, spans, bodyOffset(value)))) {
          this.corrupt(value);
          return false;
        }
      } finally {
        // Nothing depends on its end.
        file.close().catch(() => undefined);
      }
      this.#counts.read++;
      this.#index.touch(value);
      return true;
    } catch {
      // A file that cannot be read is of no use; the client gets a miss.
      this.#counts.readErrors++;
      if (this.#index.get(value.key) === value) this.delete(value.key);
      return false;
    } finally {
      // The turn goes to the next one that waits.
      const next = this.#waitingReads.shift();
      if (next === undefined) this.#reads--;
      else next();
    }
  }

  corrupt(value: StoredValue): void {
    this.#counts.corrupt++;
    if (this.#index.get(value.key) === value) this.delete(value.key);
  }

  delete(key: string): boolean {
    const isWaiting = this.#cancel(key);
    const value = this.#index.remove(key);
    if (value !== undefined) this.#remove([value.path]);
    return isWaiting || value !== undefined;
  }

  clear(): void {
    for (const key of [...this.#writings.keys(), ...this.#index.keys()]) this.delete(key);
  }

  scan(cursor: number, count: number): ScanStep {
    return this.#index.scan(cursor, count);
  }

  /** Resolves when all that waits is written, or cannot be. */
  async flushed(): Promise<void> {
    while (this.#workers > 0) await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  /** Drops what waits; a value that is being written is not kept. */
  close(): void {
    this.#isClosed = true;
    this.#droppedEvents.flush();
    for (const key of [...this.#writings.keys()]) this.#cancel(key);
  }

  /** @returns Whether a value of the key waited. */
  #cancel(key: string): boolean {
    const writing = this.#writings.get(key);
    if (writing === undefined) return false;
    writing.isCancelled = true;
    this.#writings.delete(key);
    return true;
  }

  #remove(paths: readonly string[]): void {
    for (const path of paths) if (this.#removals.length < removalsMax) this.#removals.push(path);
    this.#work();
  }

  /** Removals first, because they make room. Each file has a path of its own, so that none is in another one's way. */
  #work(): void {
    while (this.#workers < Math.min(writesMax, this.#queue.length + this.#removals.length)) {
      this.#workers++;
      this.#worked().finally(() => {
        this.#workers--;
        this.#work();
        if (this.#workers === 0) for (const resolve of this.#idle.splice(0)) resolve();
      });
    }
  }

  async #worked(): Promise<void> {
    // What is queued in the same turn is done together.
    await Promise.resolve();
    for (;;) {
      const path = this.#removals.pop();
      if (path !== undefined) {
        await this.#files.unlink(path).catch(() => undefined);
        continue;
      }
      const writing = this.#queue.shift();
      if (writing === undefined) return;
      await this.#written(writing);
      this.#waitingBytes -= writing.source.size;
      writing.source.release();
      if (this.#writings.get(writing.source.key) === writing) {
        this.#writings.delete(writing.source.key);
      }
    }
  }

  async #written(writing: Writing): Promise<void> {
    const { source } = writing;
    if (writing.isCancelled) return;
    const serial = ++this.#serial;
    const head = writeHead({ ...source, serial });
    const size = head.length + source.size;
    const fileBytes = Math.ceil(size / blockBytes) * blockBytes;
    if (!(await this.#makeRoom(fileBytes)) || writing.isCancelled) {
      if (!writing.isCancelled) this.#drop('no room among --disk-size');
      return;
    }
    const path = this.#pathOf(source.key, serial);
    const temporary = `${path}.tmp`;
    this.#reservedBytes += fileBytes;
    try {
      await this.#newFiles.write(temporary, [head, ...source.spans], size);
      if (!writing.isCancelled) await this.#files.rename(temporary, path);
      this.#failures = 0;
    } catch (error) {
      this.#counts.writeErrors++;
      this.#drop(this.#failed(error, fileBytes));
      await this.#files.unlink(temporary).catch(() => undefined);
      return;
    } finally {
      this.#reservedBytes -= fileBytes;
    }
    if (writing.isCancelled) {
      for (const gone of [temporary, path]) await this.#files.unlink(gone).catch(() => undefined);
      return;
    }
    const { key, size: valueSize, label, checksum, expiresUnixSeconds } = source;
    this.#index.add({ key, size: valueSize, label, checksum, expiresUnixSeconds, path, fileBytes });
    this.#counts.written++;
  }

  #drop(cause: string): void {
    this.#counts.dropped++;
    this.#droppedEvents.add(cause);
  }

  /**
   * A full disk makes room for the next value; a disk that goes on failing is left alone for a time.
   *
   * @returns The cause.
   */
  #failed(error: unknown, fileBytes: number): string {
    const { code, message } = error as NodeJS.ErrnoException;
    const cause = code ?? message;
    if (code === 'ENOSPC' || code === 'EDQUOT') {
      for (const key of this.#index.next(2 * fileBytes)) {
        this.#counts.evictions++;
        this.delete(key);
      }
    }
    if (++this.#failures < failuresMax) return cause;
    this.#failures = 0;
    this.#pausedUntilSeconds = this.#options.wallClock.nowSeconds() + pauseSeconds;
    this.#pausedFor = `not tried for ${pauseSeconds} s after ${cause}`;
    return cause;
  }

  async #makeRoom(fileBytes: number): Promise<boolean> {
    while (!this.#index.hasRoom(fileBytes + this.#reservedBytes)) {
      const evicted = this.#index.makeRoom(fileBytes + this.#reservedBytes);
      if (evicted === undefined) return false;
      this.#counts.evictions += evicted.length;
      for (const { path } of evicted) await this.#files.unlink(path).catch(() => undefined);
    }
    return true;
  }

  #pathOf(key: string, serial: number): string {
    const digest = createHash('sha256').update(key, 'latin1').digest('hex').slice(0, 32);
    return join(this.#options.folder, 'v1', digest.slice(0, 2), `${digest}-${serial}`);
  }
}
