// Gauges under the names that production-stack's router exports and its dashboards read.
import type { Labels, MetricsRegistry } from '../../../core/metrics/index.ts';
import type { EndpointStatus, RoutingCore } from '../../../core/routing/index.ts';
import type { Engine } from './engine.ts';

/** Declares the gauges; their values are read for each page. */
export function declareFleetGauges(
  registry: MetricsRegistry,
  core: RoutingCore,
  engines: ReadonlyMap<string, Engine>,
  nowSeconds: () => number,
): void {
  const gauge = (
    name: string,
    help: string,
    value: (status: EndpointStatus, engine: Engine | undefined) => number,
    labels: (status: EndpointStatus) => Labels = ({ url }) => ({ server: url }),
  ) => {
    registry.rowGauge({
      ...{ name, help, labels, rows: () => core.liveView() },
      value: (status) => value(status, engines.get(status.url)),
    });
  };
  gauge(
    'vllm:num_requests_running',
    'Requests running on the engine, as it reports.',
    (status, engine) => currentReport(status, engine)?.running ?? 0,
  );
  gauge(
    'vllm:num_requests_waiting',
    'Requests waiting in the queue of the engine, as it reports.',
    (status, engine) => currentReport(status, engine)?.waiting ?? 0,
  );
  gauge(
    'vllm:gpu_prefix_cache_hit_rate',
    'Prefix cache hit rate of the engine, in [0, 1].',
    (status, engine) => {
      const report = currentReport(status, engine);
      const [found = 0, asked = 0] = [report?.prefixCacheHits, report?.prefixCacheQueries];
      return asked > 0 ? found / asked : 0;
    },
  );
  gauge(
    'vllm:gpu_prefix_cache_hits_total',
    'Prompt tokens found in the prefix cache of the engine.',
    (status, engine) => currentReport(status, engine)?.prefixCacheHits ?? 0,
  );
  gauge(
    'vllm:gpu_prefix_cache_queries_total',
    'Prompt tokens looked up in the prefix cache of the engine.',
    (status, engine) => currentReport(status, engine)?.prefixCacheQueries ?? 0,
  );
  gauge(
    'vllm:kv_cache_usage_perc',
    'KV cache blocks in use on the engine, in [0, 1].',
    (status, engine) => currentReport(status, engine)?.kvUsage ?? 0,
  );
  gauge(
    'vllm:current_qps',
    'Requests per second sent to the engine, over the statistics window.',
    (_, engine) => engine?.metrics.rate.perSecond(nowSeconds()) ?? 0,
  );
  gauge(
    'vllm:num_prefill_requests',
    'Requests sent whose response has not started.',
    ({ ownLoad }) => ownLoad.prefilling,
  );
  gauge(
    'vllm:num_decoding_requests',
    'Requests whose response is being received.',
    ({ ownLoad }) => ownLoad.inflight - ownLoad.prefilling,
  );
  gauge(
    'vllm:avg_latency',
    'Mean latency of finished requests on the engine, in seconds.',
    (_, engine) => engine?.metrics.meanLatencySeconds ?? 0,
  );
  gauge(
    'vllm:avg_itl',
    'Mean time between the chunks of streamed responses of the engine, in seconds; -1 before the first.',
    (_, engine) => engine?.metrics.meanTokenGapSeconds ?? -1,
  );
  gauge(
    'spillway_router_engine_info',
    'Always 1; the labels are the name of the engine and whether it is an emulation without a GPU.',
    () => 1,
    ({ url }) => {
      const { name = url, isEmulated = false } = engines.get(url) ?? {};
      return { server: url, engine: name, emulated: String(isEmulated) };
    },
  );
  gauge(
    'vllm:healthy_pods_total',
    'Whether the engine is live and gets requests: 1 or 0.',
    ({ state }) => (state === 'live' ? 1 : 0),
  );
  gauge(
    'spillway_router_engine_ejected',
    'Whether the engine gets only trial requests because too many failed there: 1 or 0.',
    ({ url }) => (core.isEjected(url) ? 1 : 0),
  );
  gauge(
    'spillway_router_inflight_requests',
    'Requests sent by this router and not finished.',
    ({ ownLoad }) => ownLoad.inflight,
  );
  gauge(
    'spillway_router_prefill_tokens',
    'Uncached prompt tokens, as estimated, of requests whose response has not started.',
    ({ ownLoad }) => ownLoad.prefillTokens,
  );
  gauge(
    'spillway_router_peer_inflight_requests',
    'Requests sent by connected peer routers and not finished.',
    ({ load, ownLoad }) => load.inflight - ownLoad.inflight,
  );
  gauge(
    'spillway_router_engine_connections',
    'Open connections to the engine.',
    (_, engine) => engine?.pool.connections ?? 0,
  );
}

/** A dead engine has no queue, and its last report no longer describes it. */
function currentReport({ state }: EndpointStatus, engine: Engine | undefined) {
  return state === 'dead' ? undefined : engine?.report;
}
