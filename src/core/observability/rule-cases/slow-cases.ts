// When alerts that look back for hours or a day fire.
import { gateSeries } from '../rules/hbm-rules.ts';
import type { RuleCases } from './rule-case.ts';

const usage = (labels: string) => `vllm:kv_cache_usage_perc{${labels}}`;
const cache = (what: string, instance = 'a') =>
  `vllm:prefix_cache_${what}_total{instance="${instance}"}`;
const finished = (outcome: string) =>
  `spillway_router_requests_total{server="a",outcome="${outcome}"}`;

export const slowCases: RuleCases = {
  evaluation: '10m',
  cases: [
    {
      alert: 'VllmHbmGateFails',
      name: 'full for 30 minutes of a day, which is 2 %, and for 10, which is 0.7 %',
      series: {
        [usage('instance="full"')]: '0.5x1409 0.95x29 0.5x40',
        [usage('instance="short"')]: '0.5x1429 0.95x9 0.5x40',
      },
      silentAt: ['1400m'],
      firesAt: { '1450m': [{ instance: 'full' }] },
    },
    {
      alert: 'VllmHbmGateFails',
      name: 'P99 at the limit passes, as in the gate',
      series: { [usage('instance="a"')]: '0.92x1460' },
      silentAt: ['1450m'],
    },
    {
      alert: 'VllmHbmGateFails',
      name: 'half a day of samples is no verdict, whatever they say',
      series: { [usage('instance="new"')]: '_x719 0.99x730' },
      silentAt: ['1000m', '1450m'],
    },
    {
      recording: gateSeries.p99,
      name: 'the quantile of a day',
      series: { [usage('instance="a"')]: '0.5x1409 0.95x50' },
      at: '1450m',
      values: { '{instance="a"}': 0.95 },
    },
    {
      recording: gateSeries.coverage,
      name: 'half a day of samples',
      series: { [usage('instance="a"')]: '_x719 0.4x730' },
      at: '1440m',
      values: { '{instance="a"}': 722 / 1440 },
    },
    {
      alert: 'VllmHitRateFell',
      name: 'from half of the tokens to a tenth, and not from a tenth to none',
      series: {
        [cache('queries')]: '0+600x1600',
        [cache('hits')]: '0+300x1500 450060+60x99',
        [cache('queries', 'b')]: '0+600x1600',
        [cache('hits', 'b')]: '0+60x1500 90000x99',
      },
      silentAt: ['1500m', '1510m'],
      firesAt: { '1540m': [{ instance: 'a' }] },
    },
    {
      alert: 'SpillwayErrorBudgetBurns',
      name: '1 % of the requests fail for hours',
      series: { [finished('completed')]: '0+594x420', [finished('failed')]: '0+6x420' },
      silentAt: ['10m'],
      firesAt: { '410m': [{}] },
    },
    {
      alert: 'SpillwayErrorBudgetBurnsFast',
      name: '1 % of the requests do not wake anybody',
      series: { [finished('completed')]: '0+594x420', [finished('failed')]: '0+6x420' },
      silentAt: ['100m', '410m'],
    },
    {
      alert: 'SpillwayErrorBudgetBurns',
      name: 'one in a thousand is what the budget is for',
      series: { [finished('completed')]: '0+999x420', [finished('failed')]: '0+1x420' },
      silentAt: ['410m'],
    },
  ],
};
