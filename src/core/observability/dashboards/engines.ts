// Each engine beside the others: which one is slow, full or ill.
import type { Dashboard } from '../dashboard.ts';
import {
  byEngine,
  engineLegend,
  engines,
  mean,
  quantile,
  quantiles,
  routers,
  sumRate,
} from '../queries.ts';
import { hbmGate, hbmHeadroom, preemptions } from './hbm-panels.ts';

const perEngine = (expression: string) => ({ [engineLegend]: expression });
const gauge = (metric: string, kind: 'sum' | 'max' = 'sum') =>
  perEngine(`${kind} by (${byEngine}) (${metric}{${engines}})`);

export const engineFleet: Dashboard = {
  name: 'engines',
  title: 'Spillway: engines',
  description: 'One line per engine: load, latency, KV cache, state.',
  rows: [
    {
      title: 'Load',
      panels: [
        {
          title: 'Running requests',
          description: 'Requests in the batch of the engine.',
          queries: gauge('vllm:num_requests_running'),
        },
        {
          title: 'Waiting requests',
          description: 'Requests in the queue of the engine.',
          queries: gauge('vllm:num_requests_waiting'),
        },
        {
          title: 'Why requests wait',
          description:
            'capacity: the batch or the KV cache is full. deferred: the request waits for KV from a tier, or for an adapter.',
          queries: {
            '{{reason}}': `sum by (reason) (vllm:num_requests_waiting_by_reason{${engines}})`,
          },
        },
        {
          title: 'Requests per second',
          unit: 'reqps',
          description: 'Requests that finished.',
          queries: perEngine(sumRate('vllm:request_success_total', engines, byEngine)),
        },
        {
          title: 'Prompt tokens per second',
          description: 'Including the tokens that were cached.',
          queries: perEngine(sumRate('vllm:prompt_tokens_total', engines, byEngine)),
        },
        {
          title: 'Output tokens per second',
          description: 'Tokens that the engine generates.',
          queries: perEngine(sumRate('vllm:generation_tokens_total', engines, byEngine)),
        },
      ],
    },
    {
      title: 'Latency',
      panels: [
        {
          title: 'Time to first token, p99',
          unit: 's',
          description: 'From the arrival at the engine, its queue included.',
          queries: perEngine(quantile(0.99, 'vllm:time_to_first_token_seconds', engines, byEngine)),
        },
        {
          title: 'Inter-token latency, p99',
          unit: 's',
          description: 'Time between two tokens of a request.',
          queries: perEngine(quantile(0.99, 'vllm:inter_token_latency_seconds', engines, byEngine)),
        },
        {
          title: 'Time in the queue, mean',
          unit: 's',
          description: 'Until the request was scheduled for the first time.',
          queries: perEngine(mean('vllm:request_queue_time_seconds', engines, byEngine)),
        },
        {
          title: 'Prefill, mean',
          unit: 's',
          description: 'From the first scheduling to the first token.',
          queries: perEngine(mean('vllm:request_prefill_time_seconds', engines, byEngine)),
        },
        {
          title: 'Decode, mean',
          unit: 's',
          description: 'From the first token to the last.',
          queries: perEngine(mean('vllm:request_decode_time_seconds', engines, byEngine)),
        },
        {
          title: 'Tokens per step',
          description: 'Tokens that one step of an engine computes: the size of its batches.',
          queries: quantiles('vllm:iteration_tokens_total', engines),
        },
      ],
    },
    {
      title: 'HBM',
      panels: [
        {
          title: 'KV cache utilization',
          unit: 'percentunit',
          description: 'Blocks in use by running requests.',
          queries: gauge('vllm:kv_cache_usage_perc', 'max'),
        },
        hbmHeadroom,
        hbmGate,
        preemptions,
        {
          title: 'Preemptions per request',
          description: 'How often a request lost its KV cache.',
          queries: quantiles('vllm:request_num_preemptions', engines),
        },
        {
          title: 'Blocks of KV cache',
          description: 'Size of the KV cache, which an engine measures when it starts.',
          queries: {
            '{{pod}} {{instance}}: {{num_gpu_blocks}} blocks of {{block_size}} tokens': `max by (${byEngine}, num_gpu_blocks, block_size) (vllm:cache_config_info{${engines}})`,
          },
        },
      ],
    },
    {
      title: 'State',
      panels: [
        {
          title: 'Healthy',
          description: 'As the router sees it: 1 gets requests, 0 does not.',
          queries: { '{{server}}': `min by (server) (vllm:healthy_pods_total{${routers}})` },
        },
        {
          title: 'Ejected',
          description: '1: the engine gets only trial requests, because too many failed there.',
          queries: { '{{server}}': `max by (server) (spillway_router_engine_ejected{${routers}})` },
        },
        {
          title: 'Awake',
          description: '0: the engine sleeps.',
          queries: perEngine(
            `min by (${byEngine}) (vllm:engine_sleep_state{${engines},sleep_state="awake"})`,
          ),
        },
        {
          title: 'Uptime',
          unit: 's',
          description: 'Time since the process started. It falls to zero with a restart.',
          queries: perEngine(
            `time() - max by (${byEngine}) (process_start_time_seconds{${engines},job=~".*engine.*"})`,
          ),
        },
        {
          title: 'Requests by reason of their end',
          unit: 'reqps',
          description: 'abort: the client has gone.',
          queries: {
            '{{finished_reason}}': sumRate(
              'vllm:request_success_total',
              engines,
              'finished_reason',
            ),
          },
        },
        {
          title: 'Rejected by the engine per second',
          unit: 'reqps',
          description: 'Requests that an engine refused because its queue is limited and full.',
          queries: { '{{reason}}': sumRate('vllm:admission_rejections_total', engines, 'reason') },
        },
      ],
    },
  ],
};
