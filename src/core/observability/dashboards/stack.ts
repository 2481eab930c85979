// The stack at a glance: upstream's panels first.
import type { Dashboard } from '../dashboard.ts';
import {
  buckets,
  byEngine,
  engineLegend,
  engines,
  quantile,
  quantiles,
  rate,
  routers,
  scraped,
  sumRate,
} from '../queries.ts';
import { hbmHeadroom, preemptions } from './hbm-panels.ts';

export const stack: Dashboard = {
  name: 'stack',
  title: 'Spillway: stack',
  description: 'The whole stack: requests, latencies, engines and their KV cache.',
  rows: [
    {
      title: 'Overview',
      panels: [
        {
          title: 'Available engines',
          kind: 'stat',
          description: 'Engines that get requests.',
          queries: { engines: `sum(max by (server) (vllm:healthy_pods_total{${routers}}))` },
        },
        {
          title: 'Requests per second',
          ...{ kind: 'stat', unit: 'reqps' },
          description: 'Requests that arrive at all routers.',
          queries: { requests: sumRate('vllm:num_incoming_requests_total', routers) },
        },
        {
          title: 'Completed',
          ...{ kind: 'stat', unit: 'percentunit' },
          description:
            'Share of the finished requests that completed; cancelled ones do not count.',
          queries: {
            completed: `${sumRate('spillway_router_requests_total', `${routers},outcome="completed"`)} / ${sumRate('spillway_router_requests_total', `${routers},outcome!="cancelled"`)}`,
          },
        },
        {
          title: 'Time to first token, p99',
          ...{ kind: 'stat', unit: 's' },
          description: 'As clients see it: from the arrival at the router.',
          queries: {
            p99: quantile(0.99, 'spillway_router_time_to_first_token_seconds', routers),
          },
        },
        {
          title: 'Inter-token latency, p99',
          ...{ kind: 'stat', unit: 's' },
          description: 'Time between the chunks of streams, at the router.',
          queries: { p99: quantile(0.99, 'spillway_router_inter_token_latency_seconds', routers) },
        },
        {
          title: 'Output tokens per second',
          kind: 'stat',
          description: 'Tokens that all engines generate.',
          queries: { tokens: sumRate('vllm:generation_tokens_total', engines) },
        },
      ],
    },
    {
      title: 'Requests',
      panels: [
        {
          title: 'Requests per second by model',
          unit: 'reqps',
          description: 'Requests that arrive at the routers.',
          queries: { '{{model}}': sumRate('vllm:num_incoming_requests_total', routers, 'model') },
        },
        {
          title: 'Failed requests per second',
          unit: 'reqps',
          description: 'By kind of failure; failures that a retry hid from the client count too.',
          queries: {
            '{{error_type}}': sumRate('vllm:request_errors_total', routers, 'error_type'),
          },
        },
        {
          title: 'Running and waiting requests',
          description: 'In the schedulers of all engines, and in the queue of the routers.',
          queries: {
            running: `sum(vllm:num_requests_running{${engines}})`,
            waiting: `sum(vllm:num_requests_waiting{${engines}})`,
            'queued in routers': `sum(spillway_router_queued_requests{${routers}}) or vector(0)`,
          },
        },
      ],
    },
    {
      title: 'Latency of engines',
      panels: [
        {
          title: 'Latency of requests',
          unit: 's',
          description: 'From the arrival at the engine to the last token.',
          queries: quantiles('vllm:e2e_request_latency_seconds', engines),
        },
        {
          title: 'Time to first token',
          unit: 's',
          description: 'From the arrival at the engine, its queue included.',
          queries: quantiles('vllm:time_to_first_token_seconds', engines),
        },
        {
          title: 'Inter-token latency',
          unit: 's',
          description: 'Time between two tokens of a request.',
          queries: quantiles('vllm:inter_token_latency_seconds', engines),
        },
        {
          title: 'Time per output token',
          unit: 's',
          description: 'Mean of each request over its tokens after the first.',
          queries: quantiles('vllm:request_time_per_output_token_seconds', engines),
        },
        {
          title: 'Distribution of latency',
          ...{ kind: 'heatmap', unit: 's' },
          description: 'How many requests took how long.',
          queries: buckets('vllm:e2e_request_latency_seconds', engines),
        },
        {
          title: 'Distribution of time to first token',
          ...{ kind: 'heatmap', unit: 's' },
          description: 'How many requests waited how long for their first token.',
          queries: buckets('vllm:time_to_first_token_seconds', engines),
        },
      ],
    },
    {
      title: 'KV cache',
      panels: [
        {
          title: 'KV cache utilization',
          unit: 'percentunit',
          description: 'Blocks in use by running requests.',
          queries: {
            [engineLegend]: `max by (${byEngine}) (vllm:kv_cache_usage_perc{${engines}})`,
          },
        },
        hbmHeadroom,
        preemptions,
        {
          title: 'Prefix cache hit rate',
          unit: 'percentunit',
          description: 'Share of the prompt tokens that were found in the KV cache of the engine.',
          queries: {
            [engineLegend]: `${sumRate('vllm:prefix_cache_hits_total', engines, byEngine)} / ${sumRate('vllm:prefix_cache_queries_total', engines, byEngine)}`,
          },
        },
      ],
    },
    {
      title: 'Processes',
      panels: [
        {
          title: 'CPU cores in use',
          description: 'One line per process; of a real vLLM it is its API server only.',
          queries: {
            '{{job}} {{pod}} {{instance}}': `sum by (job, ${byEngine}) (${rate('process_cpu_seconds_total', scraped)})`,
          },
        },
        {
          title: 'Memory',
          unit: 'bytes',
          description: 'Resident memory, one line for each',
          queries: {
            '{{job}} {{pod}} {{instance}}': `sum by (job, ${byEngine}) (process_resident_memory_bytes{${scraped}})`,
          },
        },
        {
          title: 'Targets that Prometheus cannot scrape',
          kind: 'stat',
          description: 'Engines and routers that do not respond on /metrics.',
          queries: { down: `count(up{${scraped}} == 0) or vector(0)` },
          alarmAt: 1,
        },
      ],
    },
  ],
};
