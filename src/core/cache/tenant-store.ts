// The store as the clients of one key space see it: their own keys, and nothing of others.
import type { ClientStore, WatchedValue } from './client-store.ts';
import type { StoreStats, ValueLease, ValueWriter } from './memory-store.ts';
import type { ScanStep } from './scan-order.ts';
import { clientKey, spaceOf, storeKey } from './tenant-keys.ts';
import type { TieredStore } from './tiered-store.ts';

export class TenantStore implements ClientStore {
  readonly #store: TieredStore;
  readonly #space: string;

  /** @param space A tenant's name; empty for the shared key space. */
  constructor(store: TieredStore, space: string) {
    this.#store = store;
    this.#space = space;
  }

  get valueBytesMax(): number {
    return Math.min(this.#store.valueBytesMax, this.#usage?.quota.bytesMax ?? Infinity);
  }

  /** Of its own values; of all for the shared key space, whose clients run the server. */
  get stats(): StoreStats {
    const { stats } = this.#store;
    const own = this.#usage?.stats;
    return own === undefined ? stats : { ...own, bytesMax: Math.min(own.bytesMax, stats.bytesMax) };
  }

  get entries(): number {
    if (!this.#store.tenants.hasSpaces) return this.#store.entries;
    let entries = 0;
    for (const key of this.#store.keys()) if (spaceOf(key) === this.#space) entries++;
    return entries;
  }

  get knowsEntries(): boolean {
    return this.#store.knowsEntries && !this.#store.tenants.hasSpaces;
  }

  countStep(cursor: number, keys: number) {
    return this.#store.countStep(cursor, keys, (key) => spaceOf(key) === this.#space);
  }

  receive(key: string, size: number, label?: Uint8Array): ValueWriter {
    return this.#store.receive(this.#key(key), size, label);
  }

  isBelow(key: string): boolean {
    return this.#store.isBelow(this.#key(key));
  }

  isElsewhere(key: string): boolean {
    return this.#store.isElsewhere(this.#key(key));
  }

  load(key: string): Promise<boolean> {
    return this.#store.load(this.#key(key));
  }

  lease(key: string, isCheckedLater = false): ValueLease | undefined {
    return this.#store.lease(this.#key(key), isCheckedLater);
  }

  exists(key: string): boolean {
    return this.#store.exists(this.#key(key));
  }

  touch(key: string): boolean {
    return this.#store.touch(this.#key(key));
  }

  follows(key: string, before: string): void {
    this.#store.follows(this.#key(key), this.#key(before));
  }

  size(key: string): number | undefined {
    return this.#store.size(this.#key(key));
  }

  label(key: string): Uint8Array | undefined {
    return this.#store.label(this.#key(key));
  }

  ttlSeconds(key: string): number | undefined {
    return this.#store.ttlSeconds(this.#key(key));
  }

  expire(key: string, ttlSeconds: number): boolean {
    return this.#store.expire(this.#key(key), ttlSeconds);
  }

  remove(keys: readonly string[]): number {
    return this.#store.remove(keys.map((key) => this.#key(key)));
  }

  watch(key: string): WatchedValue | undefined {
    return this.#store.watch(this.#key(key));
  }

  flush(): void {
    if (this.#store.tenants.hasSpaces) this.#store.flush(this.#space);
    else this.#store.flush();
  }

  scan(cursor: number, count: number): ScanStep {
    const { keys, next } = this.#store.scan(cursor, count);
    return { keys: keys.filter((key) => spaceOf(key) === this.#space).map(clientKey), next };
  }

  get #usage() {
    return this.#space === '' ? undefined : this.#store.tenants.named(this.#space);
  }

  #key(key: string): string {
    return storeKey(this.#space, key);
  }
}
