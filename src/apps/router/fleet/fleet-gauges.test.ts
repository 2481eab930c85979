import assert from 'node:assert/strict';
import { test } from 'node:test';
import { routingRequest } from '../../../../test/support/routing.ts';
import { MetricsRegistry } from '../../../core/metrics/index.ts';
import { createPolicy, RoutingCore } from '../../../core/routing/index.ts';
import type { Engine } from './engine.ts';
import { declareFleetGauges } from './fleet-gauges.ts';

const clock = { nowSeconds: () => 100 };

/** Engines by URL, with what the gauges read of them. */
function scrape(
  core: RoutingCore,
  engines: ReadonlyMap<string, Engine> = new Map(),
): ReadonlyMap<string, number> {
  const registry = new MetricsRegistry();
  declareFleetGauges(registry, core, engines, clock.nowSeconds);
  const lines = registry.render().split('\n');
  return new Map(
    lines.flatMap((line) => {
      const [, name, value] = /^([^#].*) (\S+)$/.exec(line) ?? [];
      return name === undefined ? [] : [[name, Number(value)] as const];
    }),
  );
}

function coreOf(...urls: readonly string[]): RoutingCore {
  const core = new RoutingCore({
    policy: createPolicy('roundrobin', { random: { next: () => 0 } }),
    clock,
  });
  for (const url of urls) core.addEndpoint({ url, models: ['m'] });
  return core;
}

const report = {
  ...{ running: 5, waiting: 2, kvUsage: 0.5, prefixCacheHits: 300, prefixCacheQueries: 400 },
};

function engineWith(fields: object): Engine {
  return {
    ...{ name: 'one', isEmulated: true, report, pool: { connections: 7 } },
    metrics: {
      ...{ meanTokenGapSeconds: 0.02, meanLatencySeconds: 1.5 },
      rate: { perSecond: (nowSeconds: number) => nowSeconds / 8 },
    },
    ...fields,
  } as unknown as Engine;
}

/** The gauges of one server, without its label. */
function gaugesOf(values: ReadonlyMap<string, number>, server: string) {
  const label = `{server="${server}"}`;
  const own = [...values].filter(([name]) => name.endsWith(label));
  return Object.fromEntries(own.map(([name, value]) => [name.slice(0, -label.length), value]));
}

test('each engine has the gauges of upstream, and ours', () => {
  const values = scrape(coreOf('http://a'), new Map([['http://a', engineWith({})]]));
  assert.deepEqual(gaugesOf(values, 'http://a'), {
    'vllm:num_requests_running': 5,
    'vllm:num_requests_waiting': 2,
    'vllm:kv_cache_usage_perc': 0.5,
    'vllm:gpu_prefix_cache_hits_total': 300,
    'vllm:gpu_prefix_cache_queries_total': 400,
    'vllm:gpu_prefix_cache_hit_rate': 0.75,
    'vllm:current_qps': 12.5,
    'vllm:num_prefill_requests': 0,
    'vllm:num_decoding_requests': 0,
    'vllm:avg_latency': 1.5,
    'vllm:avg_itl': 0.02,
    'vllm:healthy_pods_total': 1,
    spillway_router_engine_ejected: 0,
    spillway_router_inflight_requests: 0,
    spillway_router_prefill_tokens: 0,
    spillway_router_peer_inflight_requests: 0,
    spillway_router_engine_connections: 7,
  });
  const info = 'spillway_router_engine_info{emulated="true",engine="one",server="http://a"}';
  assert.equal(values.get(info), 1);
});

test('figures that are not known are 0, the gap between tokens -1, and the name is the URL', () => {
  const unknown = engineWith({
    ...{ isEmulated: undefined, report: undefined },
    metrics: { rate: { perSecond: () => 0 } },
  });
  const engines = new Map([['http://a', unknown]]);
  const expected = {
    'vllm:num_requests_running': 0,
    'vllm:num_requests_waiting': 0,
    'vllm:kv_cache_usage_perc': 0,
    'vllm:gpu_prefix_cache_hits_total': 0,
    'vllm:gpu_prefix_cache_queries_total': 0,
    'vllm:gpu_prefix_cache_hit_rate': 0,
    'vllm:current_qps': 0,
    'vllm:num_prefill_requests': 0,
    'vllm:num_decoding_requests': 0,
    'vllm:avg_latency': 0,
    'vllm:avg_itl': -1,
    'vllm:healthy_pods_total': 1,
    spillway_router_engine_ejected: 0,
    spillway_router_inflight_requests: 0,
    spillway_router_prefill_tokens: 0,
    spillway_router_peer_inflight_requests: 0,
  };
  const values = scrape(coreOf('http://a', 'http://b'), engines);
  assert.deepEqual(gaugesOf(values, 'http://a'), {
    ...{ ...expected, spillway_router_engine_connections: 7 },
  });
  assert.deepEqual(gaugesOf(values, 'http://b'), {
    ...{ ...expected, spillway_router_engine_connections: 0 },
  });
  const info = (server: string, engine: string) =>
    `spillway_router_engine_info{emulated="false",engine="${engine}",server="${server}"}`;
  assert.equal(values.get(info('http://a', 'one')), 1);
  assert.equal(values.get(info('http://b', 'http://b')), 1);
});

test('the hit rate is 0 unless an engine reports both of its parts', () => {
  const rate = (fields: object) => {
    const engines = new Map([['http://a', engineWith({ report: fields })]]);
    return gaugesOf(scrape(coreOf('http://a'), engines), 'http://a')[
      'vllm:gpu_prefix_cache_hit_rate'
    ];
  };
  assert.equal(rate({ prefixCacheQueries: 10 }), 0);
  assert.equal(rate({ prefixCacheHits: 10 }), 0);
  assert.equal(rate({ prefixCacheHits: 1, prefixCacheQueries: 1 }), 1);
});

test('a dead engine is not healthy, and its last report does not count', () => {
  const core = coreOf('http://a');
  core.setState('http://a', 'dead', 'connect refused');
  const gauges = gaugesOf(scrape(core, new Map([['http://a', engineWith({})]])), 'http://a');
  assert.equal(gauges['vllm:healthy_pods_total'], 0);
  assert.equal(gauges['vllm:num_requests_running'], 0);
  assert.equal(gauges['vllm:gpu_prefix_cache_hit_rate'], 0);
  assert.equal(gauges['vllm:avg_latency'], 1.5, 'what the router measured stays');
});

test('requests sent are counted before and after their first byte, apart from those of peers', () => {
  const core = coreOf('http://a');
  const tickets = Array.from({ length: 3 }, () => core.route(routingRequest('x'.repeat(400))));
  for (const ticket of tickets) ticket.sent();
  tickets[0]?.firstByte();
  core.receive('peer', {
    ...{ kind: 'sent', attempt: 1, url: 'http://a', promptTokens: 50, cachedTokens: 0 },
    ...{ stream: true, blocks: undefined },
  });
  const gauges = gaugesOf(scrape(core), 'http://a');
  assert.equal(gauges['vllm:num_prefill_requests'], 2);
  assert.equal(gauges['vllm:num_decoding_requests'], 1);
  assert.equal(gauges['spillway_router_inflight_requests'], 3);
  assert.equal(gauges['spillway_router_prefill_tokens'], 200);
  assert.equal(gauges['spillway_router_peer_inflight_requests'], 1);
});

test('an engine that is ejected is marked', () => {
  const core = coreOf('http://a');
  core.isEjected = (url) => url === 'http://a';
  assert.equal(gaugesOf(scrape(core), 'http://a')['spillway_router_engine_ejected'], 1);
});

test('an engine that was removed has no series', () => {
  const core = coreOf('http://a', 'http://b');
  const registry = new MetricsRegistry();
  declareFleetGauges(registry, core, new Map(), clock.nowSeconds);
  assert.match(registry.render(), /server="http:\/\/a"/);
  core.removeEndpoint('http://a');
  const after = registry.render();
  assert.doesNotMatch(after, /server="http:\/\/a"/);
  assert.match(after, /server="http:\/\/b"/);
});
