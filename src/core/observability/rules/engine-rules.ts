// Alerts on engines.
import { alert, type RuleGroup, recording } from './rule.ts';

/** Hits of the prefix cache; below, today's against those of the day before. */
const hitRatio = 'instance:vllm_prefix_cache:hit_ratio_rate5m';

export const engineRecordings: RuleGroup = {
  name: 'spillway-engines',
  rules: [
    recording({
      name: hitRatio,
      unit: 'percentunit',
      description:
        'Share of the prompt tokens of an engine that its KV cache had, over 5 minutes; none without prompts.',
      expression: ({ engines }) =>
        `rate(vllm:prefix_cache_hits_total{${engines}}[5m]) / (rate(vllm:prefix_cache_queries_total{${engines}}[5m]) > 0)`,
    }),
    recording({
      name: 'model:vllm_generation_tokens:rate5m',
      unit: 'short',
      description: 'Tokens per second that the engines of a model generate.',
      expression: ({ engines }) =>
        `sum by (namespace, model_name) (rate(vllm:generation_tokens_total{${engines}}[5m]))`,
    }),
    recording({
      name: 'model:vllm_prompt_tokens_cached:ratio_rate5m',
      unit: 'percentunit',
      description: 'Share of the prompt tokens of a model that no engine computed, from all tiers.',
      expression: ({ engines }) =>
        `sum by (namespace, model_name) (rate(vllm:prompt_tokens_cached_total{${engines}}[5m])) / (sum by (namespace, model_name) (rate(vllm:prompt_tokens_total{${engines}}[5m])) > 0)`,
    }),
  ],
};

export const engineAlerts: RuleGroup = {
  name: 'spillway-engine-alerts',
  rules: [
    alert({
      name: 'VllmEngineDown',
      severity: 'warning',
      unit: 'none',
      forSeconds: 60,
      expression: ({ engineJobs }) => `up{${engineJobs}} == 0`,
      summary: 'Engine {{ $labels.instance }} cannot be scraped',
      description:
        'It is a target, but /metrics does not answer. Look at its log, and at its node.',
      dashboard: 'engines',
    }),
    alert({
      name: 'VllmEngineRestarting',
      severity: 'warning',
      unit: 'short',
      forSeconds: 0,
      expression: ({ engineJobs }) => `changes(process_start_time_seconds{${engineJobs}}[30m]) > 1`,
      summary: 'Engine {{ $labels.instance }} restarted at least twice in 30 min',
      description:
        'Each restart loses its KV cache and minutes of loading. The log before the last start has the reason.',
      dashboard: 'engines',
    }),
    alert({
      name: 'VllmRequestsWaiting',
      severity: 'warning',
      unit: 'short',
      forSeconds: 300,
      expression: ({ engines }) =>
        `sum by (namespace, model_name) (vllm:num_requests_waiting{${engines}}) > 10 * count by (namespace, model_name) (vllm:num_requests_waiting{${engines}})`,
      summary: 'More than 10 requests per engine wait for {{ $labels.model_name }}',
      description:
        'The load is above the capacity. Add engines, or let the router reject what would come too late (routerSpec.admission.queueTimeout).',
      dashboard: 'stack',
    }),
    alert({
      name: 'VllmHitRateFell',
      severity: 'warning',
      unit: 'percentunit',
      forSeconds: 900,
      // Below 20 % before, caching did not matter much.
      expression: ({ engines }) =>
        `${hitRatio}{${engines}} < 0.5 * (avg_over_time(${hitRatio}{${engines}}[1d] offset 1h) > 0.2)`,
      summary: 'The prefix cache of {{ $labels.instance }} has less than half of its usual hits',
      description:
        'Prompts changed at their beginning, requests are routed elsewhere, or the cache is too small. The dashboard of the router has the reasons of picks.',
      dashboard: 'cache',
    }),
    alert({
      name: 'VllmKvStoresDropped',
      severity: 'warning',
      unit: 'short',
      forSeconds: 600,
      expression: ({ engines }) =>
        `rate(vllm:kv_offload_allocation_failure_total{${engines}}[5m]) > 0`,
      summary: '{{ $labels.instance }} drops KV instead of offloading it',
      description:
        'Host memory for offloaded KV is taken by transfers in flight. Give it more memory, or offload less.',
      dashboard: 'cache',
    }),
  ],
};
