// Gauges under the names that production-stack's router exports and its dashboards read.
import type { MetricsRegistry } from '../../core/metrics/index.ts';
import type { RoutingCore } from '../../core/routing/index.ts';
import type { Engine } from './engine.ts';

/** Declares the gauges; they are filled when somebody scrapes. */
export function declareFleetGauges(
  registry: MetricsRegistry,
  core: RoutingCore,
  engines: ReadonlyMap<string, Engine>,
  nowSeconds: () => number,
): void {
  const gauge = (name: string, help: string) => registry.gauge({ name, help, labels: ['server'] });
  const running = gauge('vllm:num_requests_running', 'Requests in the batch, as the engine says.');
  const waiting = gauge('vllm:num_requests_waiting', 'Requests in its queue, as the engine says.');
  const hitRate = gauge('vllm:gpu_prefix_cache_hit_rate', 'Hits by queries of its prefix cache.');
  const hits = gauge('vllm:gpu_prefix_cache_hits_total', 'Prompt tokens found in its cache.');
  const queries = gauge('vllm:gpu_prefix_cache_queries_total', 'Prompt tokens looked up there.');
  const kvUsage = gauge('vllm:kv_cache_usage_perc', 'KV blocks in use, in [0, 1].');
  const qps = gauge('vllm:current_qps', 'Requests per second sent there, over the window.');
  const prefilling = gauge('vllm:num_prefill_requests', 'Requests sent, no byte of answer yet.');
  const decoding = gauge('vllm:num_decoding_requests', 'Requests whose answer is under way.');
  const latency = gauge('vllm:avg_latency', 'Mean seconds of all requests that ended there.');
  const healthy = gauge('vllm:healthy_pods_total', 'Whether the engine gets requests: 1 or 0.');
  const inflight = gauge('spillway_router_inflight_requests', 'Requests sent and not finished.');
  const prefillTokens = gauge(
    'spillway_router_prefill_tokens',
    'Prompt tokens, not expected to be cached, of requests without a first byte.',
  );
  const others = gauge(
    'spillway_router_peer_inflight_requests',
    'Requests that other routers have sent and that are not finished, as far as they are heard.',
  );
  const connections = gauge('spillway_router_engine_connections', 'Open connections to it.');

  registry.onRender(() => {
    for (const { url, state, load: all, ownLoad: load } of core.endpoints()) {
      const engine = engines.get(url);
      const server = { server: url };
      const report = engine?.report;
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
