// The cache server's store: values in memory under a hard bound, with checksums, leases and eviction.
export type { ClientStore, WatchedValue } from './client-store.ts';
export type { LowerTier, ReserveSpans, StoredValue, ValueSource } from './lower-tier.ts';
export {
  keyLengthMax,
  MemoryStore,
  type StoreStats,
  type ValueLease,
  type ValueWriter,
} from './memory-store.ts';
export { PageChecksum } from './page-checksum.ts';
export { type Checksum, pieceBytes } from './pages-writer.ts';
export { ownersOf } from './rendezvous.ts';
export type { ScanStep } from './scan-order.ts';
export { clientKey, tenantNamePattern } from './tenant-keys.ts';
export { type TenantQuota, type TenantUsage, tenantsMax } from './tenant-quotas.ts';
export { TenantStore } from './tenant-store.ts';
export { TierChain } from './tier-chain.ts';
export { type PlacedValue, TierIndex } from './tier-index.ts';
export { type OtherServers, TieredStore } from './tiered-store.ts';
