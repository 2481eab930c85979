// When the alerts on pressure in HBM fire.
import type { RuleCases } from './rule-case.ts';

const usage = (labels: string) => `vllm:kv_cache_usage_perc{${labels}}`;
const preemptions = (instance: string) => `vllm:num_preemptions_total{instance="${instance}"}`;

export const hbmCases: RuleCases = {
  evaluation: '1m',
  cases: [
    {
      alert: 'VllmHbmPressure',
      name: 'at 92 % for 5 minutes it fires, at 91 % it does not',
      series: { [usage('instance="hot"')]: '0.92x10', [usage('instance="cool"')]: '0.91x10' },
      silentAt: ['0m', '4m'],
      firesAt: { '6m': [{ instance: 'hot' }] },
    },
    {
      alert: 'VllmHbmPressure',
      name: 'a peak of 4 minutes is no pressure, and the time starts again after it',
      series: { [usage('instance="a"')]: '0.95x4 0.9 0.95x4 0.9x5' },
      silentAt: ['4m', '5m', '9m', '12m'],
    },
    {
      alert: 'VllmHbmPressure',
      name: 'the same series in the metrics of the router does not count again',
      series: { [usage('instance="router",server="http://a"')]: '0.99x10' },
      silentAt: ['9m'],
    },
    {
      alert: 'VllmHbmPressure',
      name: 'the name before vLLM 0.11 counts, too',
      series: { 'vllm:gpu_cache_usage_perc{instance="old"}': '0.95x10' },
      silentAt: ['4m'],
      firesAt: { '6m': [{ instance: 'old' }] },
    },
    {
      alert: 'VllmPreempting',
      name: 'an engine that preempts for 5 minutes, beside one that did so before',
      series: { [preemptions('busy')]: '0+2x15', [preemptions('calm')]: '7x15' },
      silentAt: ['5m'],
      firesAt: { '8m': [{ instance: 'busy' }] },
    },
  ],
};
