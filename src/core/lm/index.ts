// LMCache's remote server protocol, `lm://`, and the URLs of cache servers.
export { type CacheAddress, parseCacheUrl, sentinelRefusal } from './cache-address.ts';
export {
  type LmCommand,
  type LmRequest,
  lmReply,
  lmReplyBytes,
  lmRequest,
  lmRequestBytes,
  readLmReply,
  readLmRequest,
} from './lm-frames.ts';
export { type LmLayout, type LmLayoutName, lmLayoutNames, lmLayouts } from './lm-layouts.ts';
export { sizeFault } from './lmcache-sizes.ts';
