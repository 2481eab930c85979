// The router: an OpenAI-compatible reverse proxy over engines.
export type { KvEventAddress, PeerOptions, RouterOptions, StaticEngine } from './options.ts';
export { type RunningRouter, startRouter } from './router.ts';
