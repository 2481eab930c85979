// The cache server's store: values in memory under a hard bound, with checksums, leases and eviction.
export {
  type Checksum,
  MemoryStore,
  type StoreStats,
  type ValueLease,
  type ValueWriter,
} from './memory-store.ts';
