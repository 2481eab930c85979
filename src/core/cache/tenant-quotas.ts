// The memory of tenants: each has a bound of its own, and makes room among its own values.
import type { EvictionOrder } from '../eviction/index.ts';
import { CopiesFirst } from './copies-first.ts';
import { pageBytes } from './page-memory.ts';
import { spaceOf } from './tenant-keys.ts';

/** Tenants of one server; each has its own rows of metrics. */
export const tenantsMax = 256;

export interface TenantQuota {
  readonly name: string;
  /** Beginning of its keys in the shared key space; undefined for a tenant with a key space of its own. */
  readonly prefix?: string | undefined;
  /** Most memory of its values. @default no bound but that of the server */
  readonly bytesMax?: number | undefined;
}

export interface TenantStats {
  readonly entries: number;
  readonly bytes: number;
  /** Infinity without a bound. */
  readonly bytesMax: number;
  readonly hits: number;
  readonly misses: number;
  readonly evictions: number;
  readonly refused: number;
  readonly corrupt: number;
}

/** What one tenant has in memory. */
export class TenantUsage {
  readonly quota: TenantQuota;
  /** Pages that its values may take, also those that are being received. */
  readonly pagesMax: number;
  /** Its own values; undefined without a bound. */
  readonly order: CopiesFirst | undefined;
  pages = 0;
  bytes = 0;
  entries = 0;
  readonly counts = { hits: 0, misses: 0, evictions: 0, refused: 0, corrupt: 0 };

  constructor(quota: TenantQuota, createOrder: () => EvictionOrder) {
    const { bytesMax } = quota;
    this.quota = quota;
    this.pagesMax = bytesMax === undefined ? Number.POSITIVE_INFINITY : bytesMax / pageBytes;
    this.order = bytesMax === undefined ? undefined : new CopiesFirst(createOrder);
  }

  get stats(): TenantStats {
    const { bytes, entries, quota } = this;
    const bytesMax = quota.bytesMax ?? Number.POSITIVE_INFINITY;
    return { entries, bytes, bytesMax, ...this.counts };
  }
}

export class TenantQuotas {
  readonly all: readonly TenantUsage[];
  readonly #bySpace = new Map<string, TenantUsage>();
  /** Longest prefix first. */
  readonly #byPrefix: readonly (readonly [string, TenantUsage])[];

  /** @throws {RangeError} If there are too many. */
  constructor(quotas: readonly TenantQuota[], createOrder: () => EvictionOrder) {
    if (quotas.length > tenantsMax) throw new RangeError(`${quotas.length} tenants`);
    this.all = quotas.map((quota) => new TenantUsage(quota, createOrder));
    for (const usage of this.all) {
      if (usage.quota.prefix === undefined) this.#bySpace.set(usage.quota.name, usage);
    }
    this.#byPrefix = this.all
      .flatMap((usage) => {
        const { prefix } = usage.quota;
        return prefix === undefined ? [] : [[prefix, usage] as const];
      })
      .sort(([a], [b]) => b.length - a.length);
  }

  /** Whether there are key spaces beside the shared one. */
  get hasSpaces(): boolean {
    return this.#bySpace.size > 0;
  }

  /** @param key Of the store. */
  of(key: string): TenantUsage | undefined {
    if (this.all.length === 0) return undefined;
    const space = spaceOf(key);
    if (space !== '') return this.#bySpace.get(space);
    return this.#byPrefix.find(([prefix]) => key.startsWith(prefix))?.[1];
  }

  /** A tenant by its name. */
  named(name: string): TenantUsage | undefined {
    return this.all.find(({ quota }) => quota.name === name);
  }
}
