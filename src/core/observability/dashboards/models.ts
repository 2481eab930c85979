// One model: upstream's panels per model.
import type { Dashboard } from '../dashboard.ts';
import {
  buckets,
  byEngine,
  engineLegend,
  models,
  quantile,
  quantiles,
  routers,
  sumRate,
} from '../queries.ts';

/** Of the router, which has the name of the model in another label. */
const routedModels = `${routers},model=~"$model_name"`;

export const perModel: Dashboard = {
  name: 'models',
  title: 'Spillway: models',
  description: 'Latency, load and lengths of the requests for a model.',
  variables: [
    {
      ...{ kind: 'label', name: 'model_name' },
      ...{ metric: 'vllm:num_requests_running', label: 'model_name' },
    },
  ],
  rows: [
    {
      title: 'Latency',
      panels: [
        {
          title: 'Latency of requests',
          unit: 's',
          description: 'From the arrival at the engine to the last token.',
          queries: quantiles('vllm:e2e_request_latency_seconds', models),
        },
        {
          title: 'Time to first token',
          unit: 's',
          description: 'From the arrival at the engine, its queue included.',
          queries: quantiles('vllm:time_to_first_token_seconds', models),
        },
        {
          title: 'Time per output token',
          unit: 's',
          description: 'Mean of each request over its tokens after the first.',
          queries: quantiles('vllm:request_time_per_output_token_seconds', models),
        },
        {
          title: 'Inter-token latency',
          unit: 's',
          description: 'Time between two tokens of a request.',
          queries: quantiles('vllm:inter_token_latency_seconds', models),
        },
        {
          title: 'Time to first token at the router',
          unit: 's',
          description: 'As clients see it: queue of the router and retries included.',
          queries: quantiles('spillway_router_time_to_first_token_seconds', routedModels),
        },
        {
          title: 'Time in the queue',
          unit: 's',
          description: 'Until the request was scheduled for the first time.',
          queries: quantiles('vllm:request_queue_time_seconds', models),
        },
        {
          title: 'Prefill',
          unit: 's',
          description: 'From the first scheduling to the first token.',
          queries: quantiles('vllm:request_prefill_time_seconds', models),
        },
        {
          title: 'Decode',
          unit: 's',
          description: 'From the first token to the last.',
          queries: quantiles('vllm:request_decode_time_seconds', models),
        },
      ],
    },
    {
      title: 'Load',
      panels: [
        {
          title: 'Requests per second',
          unit: 'reqps',
          description: 'Requests that arrive at the routers.',
          queries: {
            '{{model}}': sumRate('vllm:num_incoming_requests_total', routedModels, 'model'),
          },
        },
        {
          title: 'Requests in the scheduler',
          description: 'In the batches and in the queues of the engines.',
          queries: {
            running: `sum(vllm:num_requests_running{${models}})`,
            waiting: `sum(vllm:num_requests_waiting{${models}})`,
          },
        },
        {
          title: 'Tokens per second',
          description: 'Prompt tokens include the cached ones.',
          queries: {
            prompt: sumRate('vllm:prompt_tokens_total', models),
            generation: sumRate('vllm:generation_tokens_total', models),
          },
        },
        {
          title: 'Finished requests per second',
          unit: 'reqps',
          description: 'By the reason of their end.',
          queries: {
            '{{finished_reason}}': sumRate('vllm:request_success_total', models, 'finished_reason'),
          },
        },
        {
          title: 'KV cache utilization',
          unit: 'percentunit',
          description: 'Blocks in use by running requests.',
          queries: { [engineLegend]: `max by (${byEngine}) (vllm:kv_cache_usage_perc{${models}})` },
        },
        {
          title: 'Preemptions per second',
          description: 'Requests that lost their KV cache because HBM was full.',
          queries: { preemptions: sumRate('vllm:num_preemptions_total', models) },
        },
      ],
    },
    {
      title: 'Lengths',
      panels: [
        {
          title: 'Prompt length',
          kind: 'heatmap',
          description: 'Tokens of a prompt.',
          queries: buckets('vllm:request_prompt_tokens', models),
        },
        {
          title: 'Output length',
          kind: 'heatmap',
          description: 'Tokens of a response.',
          queries: buckets('vllm:request_generation_tokens', models),
        },
        {
          title: 'Largest output in a group',
          description: 'Longest of the outputs of a request with n above 1.',
          queries: { p99: quantile(0.99, 'vllm:request_max_num_generation_tokens', models) },
        },
        {
          title: 'Requested output length',
          description: 'max_tokens of the requests that have it.',
          queries: quantiles('vllm:request_params_max_tokens', models),
        },
      ],
    },
  ],
};
