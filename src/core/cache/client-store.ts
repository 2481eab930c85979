// What a client does with a store, by the keys that it knows.
import type { StoreStats, ValueLease, ValueWriter } from './memory-store.ts';
import type { ScanStep } from './scan-order.ts';

/** A value that a client relies on. */
export interface WatchedValue {
  /** Whether it was stored, deleted, evicted or expired since, or got another time of expiry. */
  readonly hasChanged: boolean;
  end(): void;
}

/** Times are seconds from now, Infinity for never. */
export interface ClientStore {
  readonly valueBytesMax: number;
  readonly stats: StoreStats;
  /** Values in all tiers; takes time in proportion to them if there is a tier below, or tenants. */
  readonly entries: number;
  /** Whether `entries` takes no time. */
  readonly knowsEntries: boolean;
  /** Counts `entries` in steps, with cursors as those of `scan`. */
  countStep(cursor: number, keys: number): { readonly found: number; readonly next: number };
  /** As `MemoryStore.receive`; a value that is complete goes to the tier below and to other servers, too. */
  receive(key: string, size: number, label?: Uint8Array): ValueWriter;
  /** Whether the value is below only: `load` brings it to memory. */
  isBelow(key: string): boolean;
  /** Whether this server lacks the value and another one may have it: `load` asks for it. */
  isElsewhere(key: string): boolean;
  /** Brings a value to memory. @returns Whether it is there. */
  load(key: string): Promise<boolean>;
  /** As `MemoryStore.lease`, of a value in memory. */
  lease(key: string, isCheckedLater?: boolean): ValueLease | undefined;
  /** Whether there is a value; one that exists stays for 10 s, and comes to memory. */
  exists(key: string): boolean;
  touch(key: string): boolean;
  /** Two values belong to one prompt, one chunk after the other, as a client's requests suggest. */
  follows(key: string, before: string): void;
  size(key: string): number | undefined;
  label(key: string): Uint8Array | undefined;
  ttlSeconds(key: string): number | undefined;
  /**
   * Sets when a value in memory expires; one that is below only is dropped, because its time is part of what was
   * written.
   *
   * @returns Whether there is one in memory.
   */
  expire(key: string, ttlSeconds: number): boolean;
  /** Deletes values here and on other servers. @returns How many were here. */
  remove(keys: readonly string[]): number;
  /** Watches a value, or that there is none, for changes by any client. @returns Undefined if too much is watched already. */
  watch(key: string): WatchedValue | undefined;
  /** Deletes all values that the client may see, here and on other servers. */
  flush(): void;
  /** As `MemoryStore.scan`, but a key may come twice: once from each tier. */
  scan(cursor: number, count: number): ScanStep;
}
