// Views of a router for tests of their readers, with defaults that a test overrides.
import type { EngineView, RouterView } from '../../src/core/views/index.ts';

const load = { inflight: 0, prefilling: 0, prefillTokens: 0, decodeTokens: 0 };

const reported: NonNullable<EngineView['reported']> = {
  ageSeconds: 0.5,
  running: 0,
  waiting: 0,
  kvUsage: 0,
  blocksTotal: 1000,
  blocksUsed: 0,
  prefixCacheQueries: 0,
  prefixCacheHits: 0,
  preemptions: 0,
  promptTokens: 0,
  generationTokens: 0,
};

/** A live engine without requests. */
export function engineView(
  name: string,
  { reported: given, ...view }: EngineViewParts = {},
): EngineView {
  return {
    engine_id: `http://${name}`,
    url: `http://${name}`,
    name,
    serving_models: ['m'],
    emulated: false,
    state: 'live',
    reason: 'healthy',
    stateSeconds: 60,
    ejected: false,
    created: 0,
    load,
    ownLoad: load,
    rates: null,
    totals: { requests: 0, errors: 0, retries: 0, clientErrors: 0, serverErrors: 0 },
    latencies: { ttft: null, tpot: null, e2e: null },
    kvEvents: null,
    ...view,
    reported: given === null ? null : { ...reported, ...given },
  };
}

interface EngineViewParts extends Omit<Partial<EngineView>, 'reported'> {
  readonly reported?: Partial<NonNullable<EngineView['reported']>> | null;
}

/** A router without requests. */
export function routerView(view: Partial<RouterView> = {}): RouterView {
  return {
    policy: 'predictive',
    version: '0.1.0',
    uptimeSeconds: 60,
    requests: 0,
    errors: 0,
    clientErrors: 0,
    serverErrors: 0,
    requestsPerSecond: 0,
    inflight: 0,
    queue: null,
    latencies: { windowSeconds: 300, all: { ttft: null, tpot: null, e2e: null }, models: [] },
    routers: null,
    engines: [],
    ...view,
  };
}
