// What /engines and /debug/router answer.
import type { EndpointStatus, RoutingCore } from '../../core/routing/index.ts';
import type { KvIndexFeed, KvIndexFeedState } from '../../io/kv-events/index.ts';
import type { Engine } from './engine.ts';

/** One entry of /engines: upstream's fields first, then ours. */
export function engineViews(
  core: RoutingCore,
  engines: ReadonlyMap<string, Engine>,
  { nowSeconds, feed }: { readonly nowSeconds: number; readonly feed: KvIndexFeed },
) {
  const events = feed.state;
  return core.endpoints().map((status) => ({
    ...viewOf(status, engines.get(status.url), nowSeconds),
    kvEvents: kvEventsView(events.get(status.url)),
  }));
}

/** How well its cache is known; null where the policy does not follow events. */
function kvEventsView(state: KvIndexFeedState | undefined) {
  if (state === undefined) return null;
  const { knowledge, blocks, problem = null } = state;
  return { knowledge, blocks, problem };
}

function viewOf(status: EndpointStatus, engine: Engine | undefined, nowSeconds: number) {
  return {
    engine_id: engine?.id ?? status.url,
    serving_models: status.models,
    created: engine?.createdSeconds ?? 0,
    url: status.url,
    state: status.state,
    reason: status.reason,
    load: { ...status.load },
    ownLoad: { ...status.ownLoad },
    reported: engine === undefined ? null : reportView(engine, nowSeconds),
    totals: { ...status.totals },
  };
}

function reportView({ report, reportedAtSeconds }: Engine, nowSeconds: number) {
  if (report === undefined) return null;
  const { blocksTotal, kvUsage } = report;
  return {
    ageSeconds: Math.round((nowSeconds - reportedAtSeconds) * 1000) / 1000,
    running: report.running ?? null,
    waiting: report.waiting ?? null,
    kvUsage: kvUsage ?? null,
    blocksTotal: blocksTotal ?? null,
    // vLLM keeps block 0 back, so usage is a share of one block less (reference: block_pool.py).
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
    const card = data.get(model);
    if (card !== undefined && !data.has(alias)) data.set(alias, { ...card, id: alias });
  }
  return { object: 'list', data: [...data.values()] };
}

function plainCard(id: string, engine: Engine | undefined) {
  return { id, object: 'model', created: engine?.createdSeconds ?? 0, owned_by: 'vllm' };
}
