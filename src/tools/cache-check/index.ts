// Checks a cache server from a client's side: `spillway cache check`.
export { type CacheCheck, type CacheCheckResult, checkCache } from './check-cache.ts';
export { cacheCheckText } from './check-text.ts';
