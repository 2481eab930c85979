// The entry of each engine on /engines and /debug/router, and the list of models.

import {
  type EndpointStatus,
  isAliasPattern,
  type RoutingCore,
} from '../../../core/routing/index.ts';
import type { EngineView, KvEventsView, ReportedView } from '../../../core/views/index.ts';
import { addressOf } from '../../../io/endpoints/index.ts';
import type { KvIndexFeed, KvIndexFeedState } from '../../../io/kv-events/index.ts';
import type { Engine } from '../fleet/engine.ts';
import type { LatencyWindows } from '../metrics/latency-windows.ts';

interface EngineViewsOptions {
  readonly nowSeconds: number;
  readonly feed: KvIndexFeed;
  readonly windows: LatencyWindows;
}

/** One entry of /engines: upstream's fields first, then ours. */
export function engineViews(
  core: RoutingCore,
  engines: ReadonlyMap<string, Engine>,
  { nowSeconds, feed, windows }: EngineViewsOptions,
): EngineView[] {
  const events = feed.state;
  return core.endpoints().map((status) => ({
    ...viewOf(status, engines.get(status.url), nowSeconds),
    latencies: windows.engine(status.url, nowSeconds),
    ejected: core.isEjected(status.url),
    kvEvents: kvEventsView(events.get(status.url)),
  }));
}

/** The entries of /engines for clients that see names only: upstream's fields, and the state. */
export function engineNames(core: RoutingCore, engines: ReadonlyMap<string, Engine>) {
  return core.endpoints().map(({ url, models, state }) => {
    const engine = engines.get(url);
    const name = engine?.shown.name ?? '';
    return {
      ...{ engine_id: name, serving_models: models, created: engine?.createdSeconds ?? 0 },
      ...{ name, state },
    };
  });
}

const coverageOf = { exact: 'complete', partial: 'partial', none: 'none' } as const;

/** Null where the policy does not follow KV events. */
function kvEventsView(state: KvIndexFeedState | undefined): KvEventsView | null {
  if (state === undefined) return null;
  const { knowledge, blocks, problem = null } = state;
  return { coverage: coverageOf[knowledge], blocks, problem };
}

function viewOf(
  status: EndpointStatus,
  engine: Engine | undefined,
  nowSeconds: number,
): Omit<EngineView, 'kvEvents' | 'latencies' | 'ejected'> {
  return {
    engine_id: engine?.id ?? status.url,
    serving_models: status.models,
    created: engine?.createdSeconds ?? 0,
    url: status.url,
    name: engine?.name ?? addressOf(status.url),
    emulated: engine?.isEmulated ?? null,
    state: status.state,
    reason: status.reason,
    stateSeconds: Math.round(engine?.stateSeconds ?? 0),
    load: { ...status.load },
    ownLoad: { ...status.ownLoad },
    reported: engine === undefined ? null : reportView(engine, nowSeconds),
    rates: engine?.rates ?? null,
    totals: {
      ...status.totals,
      clientErrors: engine?.metrics.clientErrors ?? 0,
      serverErrors: engine?.metrics.serverErrors ?? 0,
    },
  };
}

function reportView(
  { report, reportedAtSeconds }: Engine,
  nowSeconds: number,
): ReportedView | null {
  if (report === undefined) return null;
  const { blocksTotal, kvUsage } = report;
  return {
    ageSeconds: Math.round((nowSeconds - reportedAtSeconds) * 1000) / 1000,
    running: report.running ?? null,
    waiting: report.waiting ?? null,
    kvUsage: kvUsage ?? null,
    blocksTotal: blocksTotal ?? null,
    // vLLM reserves block 0, so usage is a share of one block less (reference: block_pool.py).
    blocksUsed:
      blocksTotal === undefined || kvUsage === undefined
        ? null
        : Math.round(kvUsage * (blocksTotal - 1)),
    prefixCacheQueries: report.prefixCacheQueries ?? null,
    prefixCacheHits: report.prefixCacheHits ?? null,
    preemptions: report.preemptions ?? null,
    promptTokens: report.promptTokens ?? null,
    generationTokens: report.generationTokens ?? null,
  };
}

/** The models of all engines, each once, in the shape of OpenAI's list. */
export function mergedModels(
  core: RoutingCore,
  engines: ReadonlyMap<string, Engine>,
  aliases: ReadonlyMap<string, string>,
) {
  const data = new Map<string, unknown>();
  for (const { url, models, state } of core.endpoints()) {
    if (state === 'dead') continue;
    const engine = engines.get(url);
    for (const id of models) {
      if (data.has(id)) continue;
      data.set(id, engine?.models.find((card) => card.id === id) ?? plainCard(id, engine));
    }
  }
  for (const [alias, model] of aliases) {
    if (isAliasPattern(alias)) continue;
    const card = data.get(model);
    if (card !== undefined && !data.has(alias)) data.set(alias, { ...card, id: alias });
  }
  return { object: 'list', data: [...data.values()] };
}

function plainCard(id: string, engine: Engine | undefined) {
  return { id, object: 'model', created: engine?.createdSeconds ?? 0, owned_by: 'vllm' };
}
