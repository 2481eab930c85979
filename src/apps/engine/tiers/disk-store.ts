// The local disk of an emulated LMCache as real files: a chunk is one file, as in LMCache, and its bytes are compared when they
// are read. Which chunks are there, and how long transfers take, is the model's.
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { InputError } from '../../../core/base/index.ts';
import {
  type BlockKey,
  ChunkStore,
  type ChunkStoreOptions,
  type LmcacheStore,
} from '../../../core/engine/index.ts';
import { syntheticKv } from '../../../core/kv/index.ts';
import { makeFolder } from '../../../io/files/index.ts';
import type { ChunkValues } from './chunk-values.ts';
import type { OutsideWork } from './outside-work.ts';

export interface DiskStoreOptions {
  readonly folder: string;
  readonly model: ChunkStoreOptions;
  readonly values: ChunkValues;
  readonly outside: OutsideWork;
  /** LMCache's own name of a chunk; undefined if it has none. */
  readonly nameOf: (key: BlockKey) => bigint | undefined;
  readonly log?: ((line: string) => void) | undefined;
  /** Monotonic milliseconds. */
  readonly nowMs: () => number;
}

/** Bytes on their way to the disk; chunks beyond have no file, and are missing. */
const writingBytesMax = 256 << 20;

export class DiskStore implements LmcacheStore {
  readonly source = 'disk';
  readonly #options: DiskStoreOptions;
  readonly #model: ChunkStore;
  /** Files by chunk, and the work on each that is not done. */
  readonly #files = new Map<
    BlockKey,
    { readonly path: string; readonly isWritten: Promise<boolean> }
  >();
  /** Chunks whose bytes have been read and were right, and those whose file cannot be used. */
  readonly #brought = new Set<BlockKey>();
  readonly #bad = new Set<BlockKey>();
  readonly #reading = new Set<BlockKey>();
  #writingBytes = 0;
  #wrong = 0;
  #hasFailed = false;

  constructor(options: DiskStoreOptions) {
    this.#options = options;
    const { outside, model } = options;
    this.#model = new ChunkStore({
      ...model,
      onChange: (key, isStored) => {
        if (isStored) this.#write(key);
        else this.#remove(key);
        model.onChange?.(key, isStored);
      },
    });
    outside.wrongChunks.push(() => this.#wrong);
    outside.onListening(() => this.#open());
    outside.onClose(() => this.clear());
  }

  get lookupSeconds() {
    return this.#model.lookupSeconds;
  }

  get residencies() {
    return this.#model.residencies;
  }

  get chunkReadSeconds() {
    return this.#model.chunkReadSeconds;
  }

  prepare(keys: readonly BlockKey[], firstNeeded: number, nowSeconds: number): boolean {
    const end = keys.findIndex((key) => !this.has(key, nowSeconds));
    const needed = keys.slice(firstNeeded, end === -1 ? keys.length : end);
    const missing = needed.filter((key) => !this.#brought.has(key));
    if (missing.length === 0) return true;
    const unread = missing.filter((key) => !this.#reading.has(key));
    if (unread.length > 0) void this.#bring(unread);
    return false;
  }

  has(key: BlockKey, nowSeconds: number): boolean {
    return !this.#bad.has(key) && this.#model.has(key, nowSeconds);
  }

  readSeconds(keys: readonly BlockKey[], nowSeconds: number): number {
    return this.#model.readSeconds(keys, nowSeconds);
  }

  read(keys: readonly BlockKey[], nowSeconds: number): number {
    for (const key of keys) this.#brought.delete(key);
    return this.#model.read(keys, nowSeconds);
  }

  write(keys: readonly BlockKey[], nowSeconds: number): number | undefined {
    // To the model, a chunk whose file is bad is still there.
    for (const key of keys) if (this.#bad.has(key)) this.#write(key);
    return this.#model.write(keys, nowSeconds);
  }

  /** Removes its files, too. */
  clear(): void {
    this.#model.clear();
    for (const key of [...this.#files.keys()]) this.#remove(key);
  }

  async #open(): Promise<void> {
    const { folder } = this.#options;
    try {
      await makeFolder(folder);
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new InputError(
        `LMCache's local_disk (LMCACHE_LOCAL_DISK) ${folder} is not a writable folder: ${reason}.`,
        { cause },
      );
    }
  }

  /** Reads chunks, one after the other. */
  async #bring(keys: readonly BlockKey[]): Promise<void> {
    const { outside, nowMs } = this.#options;
    for (const key of keys) this.#reading.add(key);
    outside.pending++;
    const startMs = nowMs();
    for (const key of keys) {
      const file = this.#files.get(key);
      const isRight = await this.#isRight(key);
      this.#reading.delete(key);
      // Meanwhile it may have been evicted, or stored again.
      if (this.#files.get(key) !== file) continue;
      if (isRight) this.#brought.add(key);
      else this.#bad.add(key);
    }
    outside.pending--;
    outside.wake(nowMs() - startMs);
  }

  /** Reads the file of a chunk. */
  async #isRight(key: BlockKey): Promise<boolean> {
    const file = this.#files.get(key);
    if (file === undefined || !(await file.isWritten)) return false;
    const { values, log } = this.#options;
    try {
      const bytes = await readFile(file.path);
      const isRight =
        bytes.length === values.valueBytes && syntheticKv(this.#nameOf(key)).matches(bytes, 0);
      if (isRight) return true;
      this.#wrong++;
      log?.(`The file ${file.path} has wrong bytes. Its chunk is computed again.`);
    } catch (error) {
      this.#failed(error);
    }
    return false;
  }

  #write(key: BlockKey): void {
    const { folder, values } = this.#options;
    const { valueBytes } = values;
    const before = this.#files.get(key)?.isWritten;
    this.#bad.delete(key);
    this.#brought.delete(key);
    if (this.#writingBytes + valueBytes > writingBytesMax) {
      this.#bad.add(key);
      return;
    }
    this.#writingBytes += valueBytes;
    const name = this.#nameOf(key);
    const path = join(folder, `${name.replaceAll('/', '-')}.pt`);
    const write = async (): Promise<boolean> => {
      await before;
      const bytes = new Uint8Array(valueBytes);
      syntheticKv(name).fill(bytes, 0);
      try {
        await writeFile(path, bytes);
        return true;
      } catch (error) {
        this.#failed(error);
        return false;
      } finally {
        this.#writingBytes -= valueBytes;
      }
    };
    this.#files.set(key, { path, isWritten: write() });
  }

  #remove(key: BlockKey): void {
    this.#bad.delete(key);
    this.#brought.delete(key);
    const file = this.#files.get(key);
    if (file === undefined) return;
    this.#files.delete(key);
    void file.isWritten.then(async () => {
      // A chunk that is stored again has the same file.
      if (!this.#files.has(key)) await rm(file.path, { force: true }).catch(() => {});
    });
  }

  /** Logged once. */
  #failed(error: unknown): void {
    const reason = error instanceof Error ? error.message : String(error);
    if (!this.#hasFailed) {
      this.#options.log?.(`LMCache's local disk: ${reason}. Its chunks are computed again.`);
    }
    this.#hasFailed = true;
  }

  #nameOf(key: BlockKey): string {
    const { values, nameOf } = this.#options;
    return values.nameOf(key, nameOf(key));
  }
}
