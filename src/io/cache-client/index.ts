// Clients of a cache server: `lm://` and Redis' protocol behind one contract.
export { type CacheAddress, parseCacheUrl } from '../../core/lm/index.ts';
export {
  type CacheClient,
  openCacheClient,
  openRespCommands,
  type RespCommands,
  type ValueSink,
} from './cache-client.ts';
export type { ClientTls } from './connection.ts';
