// A tier of the cache server on disk.
export type { DiskFiles, OpenFile } from './disk-files.ts';
export { diskFiles } from './disk-files.ts';
export { type DiskStats, DiskTier, type DiskTierOptions } from './disk-tier.ts';
export { lockFolder } from './folder-lock.ts';
