// The router: an OpenAI-compatible reverse proxy over engines.
export type { KvEventAddress, PeerOptions, RouterOptions } from './options.ts';
export { parseCacheSaltSource } from './requests/cache-salt.ts';
export { startRouter } from './router.ts';
export type { RunningRouter } from './running-router.ts';
export type { DisaggregationSettings } from './settings/disaggregation.ts';
export { type PlanFile, readPlanFile } from './settings/plan-file.ts';
export { listedAliases, listedEngines } from './settings/static-lists.ts';
export type { LmcacheControllerOptions } from './tiers/lmcache-controller.ts';
export type { TierRates, TierSettings } from './tiers/tier-costs.ts';
export type { TokenizerSources } from './tokens/model-searches.ts';
