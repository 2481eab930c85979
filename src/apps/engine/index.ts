// The embedded engine: vLLM's API in front of the engine model, with synthetic text.
export type { EngineServerOptions } from './options.ts';
export { createEngineServer, type EngineServer } from './server.ts';
