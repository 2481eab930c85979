// One store of two tiers: memory, from which values are read, and a tier below, whose values come to memory first.
import type { Clock } from '../base/index.ts';
import type { ClientStore, WatchedValue } from './client-store.ts';
import type { LowerTier, StoredValue } from './lower-tier.ts';
import type { MemoryStore, StoreStats, ValueLease, ValueWriter } from './memory-store.ts';
import type { ScanStep } from './scan-order.ts';
import { spaceOf } from './tenant-keys.ts';
import type { TenantQuotas } from './tenant-quotas.ts';
import type { WatchedKeys } from './watched-keys.ts';

/** Other servers that may have a value; they are asked when this one lacks it. */
export interface OtherServers {
  mayHave(key: string): boolean;
  /** Whether another server is the first one that keeps the key, and this one has a copy. */
  keepsCopy(key: string): boolean;
  /** Brings a value to memory. @returns Whether it is there. */
  fetch(key: string): Promise<boolean>;
  /** A client has stored a value here, has deleted keys, or all of them. */
  stored(key: string): void;
  deleted(keys: readonly string[]): void;
  /** @param space Only the keys of this key space. */
  cleared(space?: string): void;
}

/**
 * What a value needs to be read: a client of the server sees one store. Values are kept in memory when they arrive and in
 * the tier below some time later; eviction from memory leaves them there.
 */
export class TieredStore implements ClientStore {
  readonly #memory: MemoryStore;
  readonly #below: LowerTier | undefined;
  readonly #wallClock: Clock;
  /** Values that are on their way to memory. */
  readonly #loading = new Map<string, Promise<boolean>>();

  /** @default this server is alone */
  others: OtherServers | undefined;

  /** @param below The tier below memory. @param wallClock Seconds since 1970. */
  constructor(memory: MemoryStore, wallClock: Clock, below?: LowerTier) {
    this.#memory = memory;
    this.#wallClock = wallClock;
    this.#below = below;
  }

  get valueBytesMax(): number {
    return this.#memory.valueBytesMax;
  }

  get stats(): StoreStats {
    return this.#memory.stats;
  }

  get watched(): WatchedKeys {
    return this.#memory.watched;
  }

  get tenants(): TenantQuotas {
    return this.#memory.tenants;
  }

  get entries(): number {
    if (this.#below === undefined) return this.#memory.stats.entries;
    let entries = 0;
    for (const _key of this.keys()) entries++;
    return entries;
  }

  get knowsEntries(): boolean {
    return this.#below === undefined;
  }

  /** @param isCounted Of which keys. @default all */
  countStep(cursor: number, keys: number, isCounted = (_key: string) => true) {
    const step = this.scan(cursor, keys);
    const below = cursor % 2 === 1 ? this.#below : undefined;
    // Those in memory were counted there.
    const isFirst = (key: string) =>
      below === undefined ||
      (this.#memory.size(key) === undefined && below.isFirst?.(key, (cursor - 1) / 2) !== false);
    const found = step.keys.filter((key) => isFirst(key) && isCounted(key)).length;
    return { found, next: step.next };
  }

  /** The keys of all tiers, each once. */
  *keys(): Iterable<string> {
    yield* this.#memory.keys();
    for (const key of this.#below?.keys() ?? []) {
      if (this.#memory.size(key) === undefined) yield key;
    }
  }

  receive(key: string, size: number, label?: Uint8Array): ValueWriter {
    const writer = this.receiveFetched(key, size, label);
    if (this.others === undefined) return writer;
    return {
      ...writer,
      get checksum() {
        return writer.checksum;
      },
      get isDropped() {
        return writer.isDropped;
      },
      commit: (ttlSeconds) => {
        const isKept = writer.commit(ttlSeconds);
        if (isKept) this.others?.stored(key);
        return isKept;
      },
    };
  }

  /** As `receive`, for a value of another server that a client of this one waits for. */
  receiveFetched(key: string, size: number, label?: Uint8Array): ValueWriter {
    return this.#receive(key, size, label, false);
  }

  /** As `receive`, for a value that another server sends to be kept here. */
  receiveCopy(key: string, size: number, label?: Uint8Array): ValueWriter {
    return this.#receive(key, size, label, this.others?.keepsCopy(key) === true);
  }

  #receive(key: string, size: number, label: Uint8Array | undefined, isCopy: boolean): ValueWriter {
    const writer = this.#memory.receive(key, size, label, isCopy);
    const below = this.#below;
    if (below === undefined) return writer;
    return {
      ...writer,
      get checksum() {
        return writer.checksum;
      },
      commit: (ttlSeconds) => {
        // The older value is gone, whether there is room for the new one or not.
        below.delete(key);
        const isKept = writer.commit(ttlSeconds);
        if (isKept) this.#keepBelow(key);
        return isKept;
      },
    };
  }

  isBelow(key: string): boolean {
    return this.#below?.find(key) !== undefined && this.#memory.size(key) === undefined;
  }

  isElsewhere(key: string): boolean {
    return (
      this.others !== undefined &&
      this.#memory.size(key) === undefined &&
      this.#below?.find(key) === undefined &&
      this.others.mayHave(key)
    );
  }

  load(key: string): Promise<boolean> {
    const known = this.#loading.get(key);
    if (known !== undefined) return known;
    const value = this.#below?.find(key);
    const coming = value === undefined ? this.others?.fetch(key) : this.#loaded(value);
    if (coming === undefined) return Promise.resolve(false);
    const loading = coming.finally(() => this.#loading.delete(key));
    this.#loading.set(key, loading);
    return loading;
  }

  /** A value in memory without a use of it, for another server. */
  peek(key: string): ValueLease | undefined {
    return this.#memory.peek(key);
  }

  /** A copy of another server's value is this server's own from now on. */
  own(key: string): void {
    this.#memory.own(key);
  }

  lease(key: string, isCheckedLater = false): ValueLease | undefined {
    return this.#memory.lease(key, isCheckedLater);
  }

  exists(key: string): boolean {
    if (this.#memory.exists(key)) return true;
    const value = this.#below?.find(key);
    if (value === undefined) return false;
    this.#below?.hold(value);
    this.load(key).then(
      (isThere) => isThere && this.#memory.exists(key),
      () => undefined,
    );
    return true;
  }

  touch(key: string): boolean {
    return this.#memory.touch(key) || this.#below?.find(key) !== undefined;
  }

  follows(key: string, before: string): void {
    this.#memory.follows(key, before);
    this.#below?.follows?.(key, before);
  }

  size(key: string): number | undefined {
    return this.#memory.size(key) ?? this.#below?.find(key)?.size;
  }

  label(key: string): Uint8Array | undefined {
    if (this.#memory.size(key) !== undefined) return this.#memory.label(key);
    return this.#below?.find(key)?.label;
  }

  ttlSeconds(key: string): number | undefined {
    const seconds = this.#memory.ttlSeconds(key);
    const value = seconds === undefined ? this.#below?.find(key) : undefined;
    return value === undefined ? seconds : this.#ttlOf(value);
  }

  expire(key: string, ttlSeconds: number): boolean {
    const wasBelow = this.#below?.delete(key) === true;
    const isThere = this.#memory.expire(key, ttlSeconds);
    if (isThere || wasBelow) this.watched.changed(key);
    if (isThere && ttlSeconds > 0) this.#keepBelow(key);
    return isThere;
  }

  /** Deletes a value on this server only. */
  delete(key: string): boolean {
    const [above, below] = [this.#memory.delete(key), this.#below?.delete(key) === true];
    if (above || below) this.watched.changed(key);
    return above || below;
  }

  remove(keys: readonly string[]): number {
    this.others?.deleted(keys);
    return keys.filter((key) => this.delete(key)).length;
  }

  watch(key: string): WatchedValue | undefined {
    const { watched } = this;
    const wasThere = this.size(key) !== undefined;
    const watch = watched.add(key);
    if (watch === undefined) return undefined;
    // What is evicted or expires is not told of.
    const isGone = () => wasThere && this.size(key) === undefined;
    return {
      get hasChanged() {
        return watch.isChanged || isGone();
      },
      end: () => watched.remove(watch),
    };
  }

  /** @param space Only the keys of this key space. */
  flush(space?: string): void {
    this.clear(space);
    this.others?.cleared(space);
  }

  /** As `flush`, on this server only. */
  clear(space?: string): void {
    if (space !== undefined) {
      const keys = [...this.keys()].filter((key) => spaceOf(key) === space);
      for (const key of keys) this.delete(key);
      return;
    }
    const { watched } = this;
    for (const key of watched.keys()) if (this.size(key) !== undefined) watched.changed(key);
    this.#memory.clear();
    this.#below?.clear();
  }

  scan(cursor: number, count: number): ScanStep {
    // Even cursors are places in memory, odd ones below.
    if (cursor % 2 === 0) {
      const { keys, next } = this.#memory.scan(cursor / 2, count);
      if (next !== 0) return { keys, next: 2 * next };
      return { keys, next: this.#below === undefined ? 0 : 1 };
    }
    const step = this.#below?.scan((cursor - 1) / 2, count) ?? { keys: [], next: 0 };
    return { keys: step.keys, next: step.next === 0 ? 0 : 2 * step.next + 1 };
  }

  #keepBelow(key: string): void {
    const ttlSeconds = this.#memory.ttlSeconds(key);
    if (ttlSeconds === undefined) return;
    const lease = this.#memory.peek(key);
    if (lease === undefined) return;
    this.#below?.keep({
      ...{ key, size: lease.size, label: lease.label, checksum: lease.checksum },
      ...{ spans: lease.spans, release: lease.release },
      expiresUnixSeconds: this.#wallClock.nowSeconds() + ttlSeconds,
    });
  }

  async #loaded(value: StoredValue): Promise<boolean> {
    const { key, size, label, checksum } = value;
    const writer = this.#memory.receive(key, size, label);
    let isWhole = false;
    try {
      isWhole = (await this.#below?.read(value, () => writer.reserve())) ?? false;
      if (isWhole) writer.landed();
    } catch {
      // A tier that fails costs a miss.
    }
    // Meanwhile a client may have stored or deleted a value of this key.
    const isCurrent = this.#below?.find(key) === value && this.#memory.size(key) === undefined;
    if (isWhole && isCurrent && writer.checksum === checksum) {
      return writer.commit(this.#ttlOf(value));
    }
    if (isWhole && isCurrent && writer.checksum !== checksum && !writer.isDropped) {
      this.#below?.corrupt(value);
    }
    writer.abort();
    return this.#memory.size(key) !== undefined;
  }

  #ttlOf({ expiresUnixSeconds }: StoredValue): number {
    return expiresUnixSeconds - this.#wallClock.nowSeconds();
  }
}
