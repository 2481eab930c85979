// The cache server's store: values in memory under a hard bound, with checksums, leases and eviction.
export {
  keyLengthMax,
  MemoryStore,
  type StoreStats,
  type ValueLease,
  type ValueWriter,
} from './memory-store.ts';
export type { Checksum } from './pages-writer.ts';
export type { ScanStep } from './scan-order.ts';
