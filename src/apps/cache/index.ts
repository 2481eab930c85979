// The cache server: KV cache shared by engines, over `lm://` and Redis' protocol.
export { type CacheDisk, type CacheOptions, type CacheServer, startCache } from './server.ts';
