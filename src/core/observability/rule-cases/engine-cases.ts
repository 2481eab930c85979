// When the alerts on engines fire.
import type { RuleCases } from './rule-case.ts';

const started = (job: string, instance: string) =>
  `process_start_time_seconds{job="${job}",instance="${instance}"}`;
const waiting = (instance: string) =>
  `vllm:num_requests_waiting{instance="${instance}",model_name="m"}`;
const cache = (what: string, instance = 'a') =>
  `vllm:prefix_cache_${what}_total{instance="${instance}"}`;

export const engineCases: RuleCases = {
  evaluation: '1m',
  cases: [
    {
      alert: 'VllmEngineDown',
      name: 'an engine that stops answering; routers have an alert of their own',
      series: {
        'up{job="spillway-engines",instance="a"}': '1x3 0x10',
        'up{job="spillway-engines",instance="b"}': '1x13',
        'up{job="spillway-router",instance="r"}': '0x13',
      },
      silentAt: ['3m', '4m'],
      firesAt: { '6m': [{ job: 'spillway-engines', instance: 'a' }] },
    },
    {
      alert: 'VllmEngineRestarting',
      name: 'two restarts in half an hour, beside one',
      series: {
        [started('spillway-engines', 'a')]: '100x5 500x5 900x40',
        [started('spillway-engines', 'b')]: '100x5 500x46',
        [started('spillway-router', 'r')]: '100x5 500x5 900x40',
      },
      silentAt: ['9m', '45m'],
      firesAt: { '15m': [{ job: 'spillway-engines', instance: 'a' }] },
    },
    {
      alert: 'VllmRequestsWaiting',
      name: 'eleven requests for each of two engines',
      series: { [waiting('a')]: '10x10', [waiting('b')]: '12x10' },
      silentAt: ['4m'],
      firesAt: { '6m': [{ model_name: 'm' }] },
    },
    {
      alert: 'VllmRequestsWaiting',
      name: 'ten are not enough, and one engine may have more than the others',
      series: { [waiting('a')]: '18x10', [waiting('b')]: '2x10' },
      silentAt: ['9m'],
    },
    {
      alert: 'VllmKvStoresDropped',
      name: 'for 10 minutes',
      series: { 'vllm:kv_offload_allocation_failure_total{instance="a"}': '0x5 1+1x30' },
      silentAt: ['5m', '15m'],
      firesAt: { '20m': [{ instance: 'a' }] },
    },
    {
      recording: 'instance:vllm_prefix_cache:hit_ratio_rate5m',
      name: 'an engine without prompts has none',
      series: {
        [cache('queries')]: '0+600x20',
        [cache('hits')]: '0+150x20',
        [cache('queries', 'idle')]: '10x20',
        [cache('hits', 'idle')]: '5x20',
      },
      at: '10m',
      values: { '{instance="a"}': 0.25 },
    },
    {
      recording: 'model:vllm_generation_tokens:rate5m',
      name: 'the sum of a model, without what the router repeats',
      series: {
        'vllm:generation_tokens_total{instance="a",model_name="m"}': '0+60x20',
        'vllm:generation_tokens_total{instance="b",model_name="m"}': '0+120x20',
        'vllm:generation_tokens_total{instance="r",model_name="m",server="a"}': '0+60x20',
      },
      at: '10m',
      values: { '{model_name="m"}': 3 },
    },
    {
      recording: 'model:vllm_prompt_tokens_cached:ratio_rate5m',
      name: 'cached tokens of all tiers over all tokens',
      series: {
        'vllm:prompt_tokens_cached_total{instance="a",model_name="m"}': '0+60x20',
        'vllm:prompt_tokens_total{instance="a",model_name="m"}': '0+240x20',
      },
      at: '10m',
      values: { '{model_name="m"}': 0.25 },
    },
  ],
};
