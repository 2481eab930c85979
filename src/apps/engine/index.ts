// The embedded engine: vLLM's API over the engine model, with synthetic text.
export { AdapterFolderError } from './adapters/adapter-folder.ts';
export { type FaultOptions, readFaultFlags } from './faults/fault-options.ts';
export type { EngineServerOptions } from './options.ts';
export { createEngineServer, type EngineServer } from './server.ts';
export { createEngineServers } from './server-group.ts';
export { type EngineSettings, type ResolvedEngine, resolveEngine } from './settings.ts';
export { lmcacheSettings } from './tiers/lmcache-settings.ts';
export { nixlSettings } from './tiers/nixl-tier.ts';
export { connectorName, type TierFlags, withoutEmulation } from './tiers/tier-options.ts';
export { readTokenizerInfo } from './tokenizer-info.ts';
