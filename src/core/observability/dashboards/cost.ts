// What the tokens cost: the price of a GPU comes from the reader, everything else from the engines.
import type { Dashboard } from '../dashboard.ts';
import { byEngine, engineLegend, engines, routers, sumRate } from '../queries.ts';

/** Dollars per second of all healthy engines. */
const dollarsPerSecond = `sum(max by (server) (vllm:healthy_pods_total{${routers}})) * $gpus_per_engine * $gpu_price / 3600`;
const tokens = sumRate('vllm:generation_tokens_total', engines);
const prompts = sumRate('vllm:prompt_tokens_total', engines);

export const cost: Dashboard = {
  name: 'cost',
  title: 'Spillway: cost',
  description: 'Dollars per hour, per million tokens and per request, and what is spent twice.',
  variables: [
    // An H100, as in the prices of "spillway plan".
    { kind: 'number', name: 'gpu_price', label: 'dollars per GPU hour', value: 2.95 },
    { kind: 'number', name: 'gpus_per_engine', label: 'GPUs per engine', value: 1 },
  ],
  rows: [
    {
      title: 'Now',
      panels: [
        {
          title: 'Dollars per hour',
          ...{ kind: 'stat', unit: 'currencyUSD' },
          description: 'All engines that get requests.',
          queries: { price: `${dollarsPerSecond} * 3600` },
        },
        {
          title: 'Dollars per million output tokens',
          ...{ kind: 'stat', unit: 'currencyUSD' },
          description: 'The whole price over the tokens that were generated.',
          queries: { price: `${dollarsPerSecond} / ${tokens} * 1e6` },
        },
        {
          title: 'Dollars per thousand requests',
          ...{ kind: 'stat', unit: 'currencyUSD' },
          description: 'Over the requests that completed.',
          queries: {
            price: `${dollarsPerSecond} / ${sumRate('spillway_router_requests_total', `${routers},outcome="completed"`)} * 1000`,
          },
        },
      ],
    },
    {
      title: 'Over time',
      panels: [
        {
          title: 'Dollars per million tokens',
          unit: 'currencyUSD',
          description: 'Output tokens alone, and prompt and output tokens together.',
          queries: {
            output: `${dollarsPerSecond} / ${tokens} * 1e6`,
            'prompt and output': `${dollarsPerSecond} / (${prompts} + ${tokens}) * 1e6`,
          },
        },
        {
          title: 'Output tokens per GPU second',
          description: 'What a GPU yields.',
          queries: {
            tokens: `${tokens} / (sum(max by (server) (vllm:healthy_pods_total{${routers}})) * $gpus_per_engine)`,
          },
        },
        {
          title: 'Share of prompt tokens that cost no prefill',
          unit: 'percentunit',
          description: 'Found in a cache instead of computed.',
          queries: {
            cached: `${sumRate('vllm:prompt_tokens_cached_total', engines)} / ${prompts}`,
          },
        },
        {
          title: 'Tokens computed again per second',
          description: 'Prefill that is paid twice. Reported by embedded engines.',
          queries: { '{{reason}}': sumRate('spillway:recomputed_tokens_total', engines, 'reason') },
        },
        {
          title: 'Idle engines',
          description: 'Engines without a running request: paid for nothing at this moment.',
          queries: { idle: `count(vllm:num_requests_running{${engines}} == 0) or vector(0)` },
        },
        {
          title: 'Floating point operations per second and GPU',
          description: 'Divided by the peak of the GPU, the model FLOPs utilization.',
          queries: {
            [engineLegend]: sumRate('vllm:estimated_flops_per_gpu_total', engines, byEngine),
          },
        },
      ],
    },
  ],
};
