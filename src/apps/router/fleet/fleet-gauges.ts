// Gauges under the names that production-stack's router exports and its dashboards read.
import type { GaugeFamily, MetricsRegistry } from '../../../core/metrics/index.ts';
import type { RoutingCore } from '../../../core/routing/index.ts';
import type { Engine } from './engine.ts';

/** Declares the gauges; their values are collected on each scrape. */
export function declareFleetGauges(
  registry: MetricsRegistry,
  core: RoutingCore,
  engines: ReadonlyMap<string, Engine>,
  nowSeconds: () => number,
): void {
  const gauges: GaugeFamily[] = [];
  const gauge = (name: string, help: string) => {
    const family = registry.gauge({ name, help, labels: ['server'] });
    gauges.push(family);
    return family;
  };
  const running = gauge(
    'vllm:num_requests_running',
    'Requests running on the engine, as it reports.',
  );
  const waiting = gauge(
    'vllm:num_requests_waiting',
    'Requests waiting in the queue of the engine, as it reports.',
  );
  const hitRate = gauge(
    'vllm:gpu_prefix_cache_hit_rate',
    'Prefix cache hit rate of the engine, in [0, 1].',
  );
  const hits = gauge(
    'vllm:gpu_prefix_cache_hits_total',
    'Prompt tokens found in the prefix cache of the engine.',
  );
  const queries = gauge(
    'vllm:gpu_prefix_cache_queries_total',
    'Prompt tokens looked up in the prefix cache of the engine.',
  );
  const kvUsage = gauge(
    'vllm:kv_cache_usage_perc',
    'KV cache blocks in use on the engine, in [0, 1].',
  );
  const qps = gauge(
    'vllm:current_qps',
    'Requests per second sent to the engine, over the statistics window.',
  );
  const prefilling = gauge(
    'vllm:num_prefill_requests',
    'Requests sent whose response has not started.',
  );
  const decoding = gauge(
    'vllm:num_decoding_requests',
    'Requests whose response is being received.',
  );
  const latency = gauge(
    'vllm:avg_latency',
    'Mean latency of finished requests on the engine, in seconds.',
  );
  const tokenGap = gauge(
    'vllm:avg_itl',
    'Mean time between the chunks of streamed responses of the engine, in seconds; -1 before the first.',
  );
  const info = registry.gauge({
    name: 'spillway_router_engine_info',
    help: 'Always 1; the labels are the name of the engine and whether it is an emulation without a GPU.',
    labels: ['server', 'engine', 'emulated'],
  });
  gauges.push(info);
  const healthy = gauge(
    'vllm:healthy_pods_total',
    'Whether the engine is live and gets requests: 1 or 0.',
  );
  const ejected = gauge(
    'spillway_router_engine_ejected',
    'Whether the engine gets only trial requests because too many failed there: 1 or 0.',
  );
  const inflight = gauge(
    'spillway_router_inflight_requests',
    'Requests sent by this router and not finished.',
  );
  const prefillTokens = gauge(
    'spillway_router_prefill_tokens',
    'Uncached prompt tokens, as estimated, of requests whose response has not started.',
  );
  const others = gauge(
    'spillway_router_peer_inflight_requests',
    'Requests sent by connected peer routers and not finished.',
  );
  const connections = gauge(
    'spillway_router_engine_connections',
    'Open connections to the engine.',
  );

  registry.onRender(() => {
    // An engine that was removed has no series.
    for (const family of gauges) family.clear();
    for (const { url, state, load: all, ownLoad: load } of core.endpoints()) {
      const engine = engines.get(url);
      const server = { server: url };
      // A dead engine has no queue, and its last report no longer describes it.
      const report = state === 'dead' ? undefined : engine?.report;
      const [name, emulated] = [engine?.name ?? url, String(engine?.isEmulated ?? false)];
      info.with({ server: url, engine: name, emulated }).set(1);
      tokenGap.with(server).set(engine?.metrics.meanTokenGapSeconds ?? -1);
      ejected.with(server).set(core.isEjected(url) ? 1 : 0);
      running.with(server).set(report?.running ?? 0);
      waiting.with(server).set(report?.waiting ?? 0);
      kvUsage.with(server).set(report?.kvUsage ?? 0);
      const [found = 0, asked = 0] = [report?.prefixCacheHits, report?.prefixCacheQueries];
      hits.with(server).set(found);
      queries.with(server).set(asked);
      hitRate.with(server).set(asked > 0 ? found / asked : 0);
      qps.with(server).set(engine?.metrics.rate.perSecond(nowSeconds()) ?? 0);
      prefilling.with(server).set(load.prefilling);
      decoding.with(server).set(load.inflight - load.prefilling);
      latency.with(server).set(engine?.metrics.meanLatencySeconds ?? 0);
      healthy.with(server).set(state === 'live' ? 1 : 0);
      inflight.with(server).set(load.inflight);
      others.with(server).set(all.inflight - load.inflight);
      prefillTokens.with(server).set(load.prefillTokens);
      connections.with(server).set(engine?.pool.connections ?? 0);
    }
  });
}
