// The chart's Grafana dashboards: panels by title and query. Files and metrics are named as in upstream's chart.

interface Panel {
  readonly title: string;
  readonly unit?: string;
  readonly kind?: 'stat';
  /** Legend to PromQL. */
  readonly queries: Readonly<Record<string, string>>;
}

const rate = (metric: string, filter: string) => `rate(${metric}{${filter}}[$__rate_interval])`;

function quantiles(metric: string, filter: string): Record<string, string> {
  const at = (share: number) =>
    `histogram_quantile(${share}, sum by (le) (${rate(`${metric}_bucket`, filter)}))`;
  return {
    p50: at(0.5),
    p90: at(0.9),
    p95: at(0.95),
    p99: at(0.99),
    mean: `sum(${rate(`${metric}_sum`, filter)}) / sum(${rate(`${metric}_count`, filter)})`,
  };
}

const all = 'namespace=~"$namespace"';
const ofModel = 'namespace=~"$namespace",model_name=~"$model_name"';

const stack: readonly Panel[] = [
  {
    title: 'Available engines',
    kind: 'stat',
    queries: { engines: `sum(max by (server) (vllm:healthy_pods_total{${all}}))` },
  },
  {
    title: 'Requests per second',
    unit: 'reqps',
    queries: { '{{model}}': `sum by (model) (${rate('vllm:num_incoming_requests_total', all)})` },
  },
  {
    title: 'Failed requests per second',
    unit: 'reqps',
    queries: {
      '{{error_type}}': `sum by (error_type) (${rate('vllm:request_errors_total', all)})`,
    },
  },
  {
    title: 'Time to first token',
    unit: 's',
    queries: quantiles('vllm:time_to_first_token_seconds', all),
  },
  {
    title: 'Time per output token',
    unit: 's',
    queries: quantiles('vllm:request_time_per_output_token_seconds', all),
  },
  {
    title: 'Latency of requests',
    unit: 's',
    queries: quantiles('vllm:e2e_request_latency_seconds', all),
  },
  {
    title: 'Running requests',
    queries: { '{{pod}}': `sum by (pod) (vllm:num_requests_running{${all}})` },
  },
  {
    title: 'Waiting requests',
    queries: { '{{pod}}': `sum by (pod) (vllm:num_requests_waiting{${all}})` },
  },
  {
    title: 'KV cache utilization',
    unit: 'percentunit',
    queries: { '{{pod}}': `max by (pod) (vllm:kv_cache_usage_perc{${all}})` },
  },
  {
    title: 'Prefix cache hit rate',
    unit: 'percentunit',
    queries: {
      '{{pod}}': `sum by (pod) (${rate('vllm:prefix_cache_hits_total', all)}) / sum by (pod) (${rate('vllm:prefix_cache_queries_total', all)})`,
    },
  },
  {
    title: 'Time to first token at the router',
    unit: 's',
    queries: quantiles('spillway_router_time_to_first_token_seconds', all),
  },
  {
    title: 'Requests sent to another engine',
    unit: 'reqps',
    queries: {
      reroutes: `sum(${rate('spillway_router_reroutes_total', all)})`,
      migrations: `sum(${rate('spillway_router_stream_migrations_total', all)})`,
    },
  },
  {
    title: 'CPU of routers',
    unit: 'short',
    queries: {
      '{{pod}}': `sum by (pod) (rate(container_cpu_usage_seconds_total{${all},container="router-container"}[$__rate_interval]))`,
    },
  },
  {
    title: 'Memory of routers',
    unit: 'bytes',
    queries: {
      '{{pod}}': `sum by (pod) (container_memory_working_set_bytes{${all},container="router-container"})`,
    },
  },
];

const models: readonly Panel[] = [
  {
    title: 'Latency of requests',
    unit: 's',
    queries: quantiles('vllm:e2e_request_latency_seconds', ofModel),
  },
  {
    title: 'Time to first token',
    unit: 's',
    queries: quantiles('vllm:time_to_first_token_seconds', ofModel),
  },
  {
    title: 'Time per output token',
    unit: 's',
    queries: quantiles('vllm:request_time_per_output_token_seconds', ofModel),
  },
  {
    title: 'Tokens per second',
    queries: {
      prompt: `sum(${rate('vllm:prompt_tokens_total', ofModel)})`,
      generation: `sum(${rate('vllm:generation_tokens_total', ofModel)})`,
    },
  },
  {
    title: 'Requests in the scheduler',
    queries: {
      running: `sum(vllm:num_requests_running{${ofModel}})`,
      waiting: `sum(vllm:num_requests_waiting{${ofModel}})`,
    },
  },
  {
    title: 'Preemptions per second',
    queries: { preemptions: `sum(${rate('vllm:num_preemptions_total', ofModel)})` },
  },
  {
    title: 'KV cache utilization',
    unit: 'percentunit',
    queries: { '{{pod}}': `max by (pod) (vllm:kv_cache_usage_perc{${ofModel}})` },
  },
  {
    title: 'Prompt length',
    unit: 'short',
    queries: quantiles('vllm:request_prompt_tokens', ofModel),
  },
  {
    title: 'Output length',
    unit: 'short',
    queries: quantiles('vllm:request_generation_tokens', ofModel),
  },
  {
    title: 'Finished requests per second',
    unit: 'reqps',
    queries: {
      '{{finished_reason}}': `sum by (finished_reason) (${rate('vllm:request_success_total', ofModel)})`,
    },
  },
  {
    title: 'Time in the queue',
    unit: 's',
    queries: quantiles('vllm:request_queue_time_seconds', ofModel),
  },
  {
    title: 'Time of prefill',
    unit: 's',
    queries: quantiles('vllm:request_prefill_time_seconds', ofModel),
  },
  {
    title: 'Time of decode',
    unit: 's',
    queries: quantiles('vllm:request_decode_time_seconds', ofModel),
  },
];

const lmcache: readonly Panel[] = [
  {
    title: 'Time to first token',
    unit: 's',
    queries: quantiles('vllm:time_to_first_token_seconds', all),
  },
  {
    title: 'Hit rate of tokens',
    unit: 'percentunit',
    queries: {
      '{{pod}}': `sum by (pod) (${rate('lmcache:num_hit_tokens_total', all)}) / sum by (pod) (${rate('lmcache:num_requested_tokens_total', all)})`,
    },
  },
  { title: 'Retrieve speed', queries: quantiles('lmcache:retrieve_speed', all) },
  {
    title: 'Local cache',
    unit: 'bytes',
    queries: { '{{pod}}': `sum by (pod) (lmcache:local_cache_usage{${all}})` },
  },
];

// biome-ignore lint/suspicious/noTemplateCurlyInString: a variable of Grafana
const datasourceVariable = '${datasource}';

/** Each dashboard's file, and the function that makes its text. */
export const chartDashboards: Readonly<Record<string, () => string>> = {
  'charts/spillway/dashboards/lmcache-dashboard.json': () =>
    dashboard('LMCache', 'spillway-lmcache', lmcache),
  'charts/spillway/dashboards/vllm-dashboard.json': () =>
    dashboard('vLLM stack', 'spillway-stack', stack),
  'charts/spillway/dashboards/vllm-model-metrics-dashboard.json': () =>
    dashboard('vLLM models', 'spillway-models', models, [
      variable('model_name', `label_values(vllm:num_requests_running{${all}}, model_name)`),
    ]),
};

function dashboard(
  title: string,
  uid: string,
  panels: readonly Panel[],
  variables: readonly object[] = [],
): string {
  const datasource = { type: 'prometheus', uid: datasourceVariable };
  return `${JSON.stringify(
    {
      title,
      uid,
      schemaVersion: 39,
      editable: true,
      tags: ['vllm', 'spillway'],
      time: { from: 'now-1h', to: 'now' },
      refresh: '30s',
      templating: {
        list: [
          { name: 'datasource', label: 'data source', type: 'datasource', query: 'prometheus' },
          variable('namespace', 'label_values(vllm:num_requests_running, namespace)'),
          ...variables,
        ],
      },
      panels: panels.map(({ title: name, unit = 'short', kind, queries }, index) => ({
        id: index + 1,
        title: name,
        type: kind ?? 'timeseries',
        datasource,
        gridPos: { x: (index % 3) * 8, y: Math.floor(index / 3) * 8, w: 8, h: 8 },
        fieldConfig: { defaults: { unit, min: 0 }, overrides: [] },
        targets: Object.entries(queries).map(([legendFormat, expr], order) => ({
          refId: String.fromCharCode(65 + order),
          datasource,
          expr,
          legendFormat,
        })),
      })),
    },
    null,
    2,
  )}\n`;
}

function variable(name: string, query: string): object {
  return {
    ...{ name, type: 'query', query, refresh: 2, includeAll: true, multi: true, allValue: '.*' },
    datasource: { type: 'prometheus', uid: datasourceVariable },
    current: { text: 'All', value: '$__all' },
  };
}
