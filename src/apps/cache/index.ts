// The cache server: KV cache shared by engines, over `lm://` and Redis' protocol.
export { type CacheOptions, type CacheServer, startCache } from './server.ts';
