// The cache server: KV cache shared by engines, over `lm://` and Redis' protocol.
export type { CacheTlsOptions } from './cache-tls.ts';
export type { CacheController } from './controller-service.ts';
export {
  CacheFront,
  linkToFront,
  marksDescriptor,
  type StoreLink,
  storeVariable,
} from './front/index.ts';
export { membershipOf } from './membership.ts';
export { type ClusterRedirects, clusterRedirects } from './resp-service.ts';
export { type CacheOptions, type CacheServer, startCache } from './server.ts';
export type { CacheBucket, CacheDisk } from './tiers.ts';
export { type CacheUser, defaultUser } from './users.ts';
