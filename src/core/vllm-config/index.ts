// vLLM's flags whose values are JSON objects: what they may hold, and their defaults.
export {
  defaultKvEventsConfig,
  type KvEventsConfig,
  parseKvEventsConfig,
} from './kv-events-config.ts';
export {
  defaultKvTransferConfig,
  type KvTransferConfig,
  parseKvTransferConfig,
} from './kv-transfer-config.ts';
export { lmcacheOverrides } from './lmcache-overrides.ts';
