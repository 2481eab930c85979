// Where KV comes from: HBM, host memory, disk, other engines; and what was computed again.
import type { Dashboard } from '../dashboard.ts';
import { byEngine, engineLegend, engines, mean, quantiles, routers, sumRate } from '../queries.ts';
import { hbmHeadroom, preemptions } from './hbm-panels.ts';

const share = (part: string, whole: string, by = '') =>
  `${sumRate(part, engines, by)} / ${sumRate(whole, engines, by)}`;

export const cache: Dashboard = {
  name: 'cache',
  title: 'Spillway: KV tiers and cache',
  description: 'Hits by tier, tokens computed again, transfers between tiers.',
  rows: [
    {
      title: 'Prompt tokens',
      panels: [
        {
          title: 'Prompt tokens per second by source',
          description: 'Computed, found in HBM, or loaded from a tier or another engine.',
          queries: {
            '{{source}}': sumRate('vllm:prompt_tokens_by_source_total', engines, 'source'),
          },
        },
        {
          title: 'Hits by tier',
          unit: 'percentunit',
          description: 'Share of all prompt tokens that the tier supplied.',
          queries: {
            '{{source}}': `${sumRate('vllm:prompt_tokens_cached_by_source_total', engines, 'source')} / on () group_left () ${sumRate('vllm:prompt_tokens_total', engines)}`,
          },
        },
        {
          title: 'Hit rate of HBM',
          unit: 'percentunit',
          description: 'Tokens found in the KV cache of the engine, of those looked up.',
          queries: {
            [engineLegend]: share(
              'vllm:prefix_cache_hits_total',
              'vllm:prefix_cache_queries_total',
              byEngine,
            ),
          },
        },
        {
          title: 'Hit rate of tiers',
          unit: 'percentunit',
          description:
            'Tokens found in a tier below HBM, of those looked up there: the ones that HBM does not have.',
          queries: {
            [engineLegend]: share(
              'vllm:external_prefix_cache_hits_total',
              'vllm:external_prefix_cache_queries_total',
              byEngine,
            ),
          },
        },
        {
          title: 'Cached tokens, as reported to clients',
          description: 'Per second, by engine; responses report them where clients ask for usage.',
          queries: {
            '{{server}}': sumRate('spillway_router_cached_prompt_tokens_total', routers, 'server'),
          },
        },
      ],
    },
    {
      title: 'Redundant prefill',
      panels: [
        {
          title: 'Tokens computed again per second',
          description:
            'KV that an engine had and lost, by reason. Reported by embedded engines; of real vLLM, preemptions tell.',
          queries: { '{{reason}}': sumRate('spillway:recomputed_tokens_total', engines, 'reason') },
        },
        {
          title: 'Redundant prefill',
          unit: 'percentunit',
          description: 'Share of the computed prompt tokens that were computed before.',
          queries: {
            share: `${sumRate('spillway:recomputed_tokens_total', engines)} / ${sumRate('vllm:prompt_tokens_by_source_total', `${engines},source="local_compute"`)}`,
          },
        },
        preemptions,
        hbmHeadroom,
        {
          title: 'Prompt tokens computed per request',
          description: 'What prefix caching leaves to compute.',
          queries: quantiles('vllm:request_prefill_kv_computed_tokens', engines),
        },
      ],
    },
    {
      title: 'Offload',
      panels: [
        {
          title: 'Bytes per second to and from host memory',
          unit: 'Bps',
          description: 'load: back into HBM. store: from HBM.',
          queries: {
            load: sumRate('vllm:kv_offload_load_bytes_total', engines),
            store: sumRate('vllm:kv_offload_store_bytes_total', engines),
          },
        },
        {
          title: 'Share of time with transfers',
          unit: 'percentunit',
          description: 'Per engine; near 1 the link to host memory is saturated.',
          queries: {
            'load {{pod}} {{instance}}': sumRate(
              'vllm:kv_offload_load_time_total',
              engines,
              byEngine,
            ),
            'store {{pod}} {{instance}}': sumRate(
              'vllm:kv_offload_store_time_total',
              engines,
              byEngine,
            ),
          },
        },
        {
          title: 'Size of loads',
          unit: 'bytes',
          description: 'Mean bytes of a load and of a store.',
          queries: {
            load: mean('vllm:kv_offload_load_size', engines),
            store: mean('vllm:kv_offload_store_size', engines),
          },
        },
        {
          title: 'Host memory pinned by transfers',
          unit: 'percentunit',
          description: 'Near 1, stores are dropped.',
          queries: {
            [engineLegend]: `max by (${byEngine}) (vllm:kv_offload_cpu_cache_usage_perc{${engines}})`,
          },
        },
        {
          title: 'Requests that load KV',
          description: 'By stage of the load.',
          queries: {
            '{{stage}}': `sum by (stage) (vllm:num_requests_kv_fetch_by_stage{${engines}})`,
          },
        },
        {
          title: 'Dropped stores per second',
          description: 'There was no room in host memory that was not pinned.',
          queries: { dropped: sumRate('vllm:kv_offload_allocation_failure_total', engines) },
        },
      ],
    },
  ],
};

/** Beside an LMCache server, under the name that upstream's chart gives it. */
export const lmcache: Dashboard = {
  name: 'lmcache',
  title: 'Spillway: LMCache',
  description: 'Hits, speed and size of LMCache, as engines with its connector report them.',
  rows: [
    {
      title: 'LMCache',
      panels: [
        {
          title: 'Hit rate of tokens',
          unit: 'percentunit',
          description: 'Tokens that LMCache had, of those asked for.',
          queries: {
            [engineLegend]: share(
              'lmcache:num_hit_tokens_total',
              'lmcache:num_requested_tokens_total',
              byEngine,
            ),
          },
        },
        {
          title: 'Tokens per second',
          description: 'Asked for, and found.',
          queries: {
            requested: sumRate('lmcache:num_requested_tokens_total', engines),
            hit: sumRate('lmcache:num_hit_tokens_total', engines),
          },
        },
        {
          title: 'Retrieve speed',
          description: 'Tokens per second of one retrieval.',
          queries: quantiles('lmcache:retrieve_speed', engines),
        },
        {
          title: 'Local cache',
          unit: 'bytes',
          description: 'Host memory in use.',
          queries: {
            [engineLegend]: `sum by (${byEngine}) (lmcache:local_cache_usage{${engines}})`,
          },
        },
      ],
    },
  ],
};
