// A tier of the cache server in an object store.
export { type ObjectStats, ObjectTier, type ObjectTierOptions } from './object-tier.ts';
export { type Objects, type S3Options, s3Objects } from './s3-objects.ts';
