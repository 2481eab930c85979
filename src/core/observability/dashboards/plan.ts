// The figures of a plan beside what the stack does. The plan's are the series that "spillway plan --rules" records.
import { defaultThresholds } from '../../values/index.ts';
import type { Dashboard, PanelUnit } from '../dashboard.ts';
import { planSeries } from '../plan-series.ts';
import { engines, mean, routers, sumRate } from '../queries.ts';

/** A planned figure with its interval, beside the actual one. */
function compared(options: {
  readonly title: string;
  readonly unit?: PanelUnit;
  readonly description: string;
  readonly series: string;
  readonly actual: string;
}) {
  const { series, actual, ...panel } = options;
  return {
    ...panel,
    queries: { actual, 'plan: {{bound}}': `max by (bound) (${series})` },
  };
}

export const planned: Dashboard = {
  name: 'plan',
  title: 'Spillway: plan against actual',
  description:
    'What "spillway plan" expects, with the interval of 90 % of its simulations, beside the measured values. Load the file of "spillway plan --rules" into Prometheus.',
  rows: [
    {
      title: 'Latency',
      panels: [
        compared({
          title: 'Time to first token, mean',
          unit: 's',
          description: 'At the engines.',
          series: planSeries.ttftSeconds,
          actual: mean('vllm:time_to_first_token_seconds', engines),
        }),
        compared({
          title: 'Time per output token, mean',
          unit: 's',
          description: 'Of each request, over its tokens after the first.',
          series: planSeries.tpotSeconds,
          actual: mean('vllm:request_time_per_output_token_seconds', engines),
        }),
        compared({
          title: 'Latency, mean',
          unit: 's',
          description: 'From the arrival at the engine to the last token.',
          series: planSeries.e2eSeconds,
          actual: mean('vllm:e2e_request_latency_seconds', engines),
        }),
      ],
    },
    {
      title: 'Load and cache',
      panels: [
        compared({
          title: 'Output tokens per second',
          description: 'The whole fleet. Below the plan under less load than planned.',
          series: planSeries.tokensPerSecond,
          actual: sumRate('vllm:generation_tokens_total', engines),
        }),
        compared({
          title: 'Cached share of prompt tokens',
          unit: 'percentunit',
          description: 'All tiers.',
          series: planSeries.hitRate,
          actual: `${sumRate('vllm:prompt_tokens_cached_total', engines)} / ${sumRate('vllm:prompt_tokens_total', engines)}`,
        }),
        compared({
          title: 'KV cache utilization, P99',
          unit: 'percentunit',
          description: `P99 of the last hour, of the fullest engine. The gate is at ${defaultThresholds.hbmUtilization}.`,
          series: planSeries.kvUseP99,
          actual: `max(quantile_over_time(0.99, vllm:kv_cache_usage_perc{${engines}}[1h]))`,
        }),
        compared({
          title: 'Preemptions per minute',
          description: 'All engines.',
          series: planSeries.preemptionsPerMinute,
          actual: `${sumRate('vllm:num_preemptions_total', engines)} * 60`,
        }),
        compared({
          title: 'Redundant prefill',
          unit: 'percentunit',
          description:
            'Share of the computed prompt tokens that were computed before. Actual values come from embedded engines only.',
          series: planSeries.redundantPrefill,
          actual: `${sumRate('spillway:recomputed_tokens_total', engines)} / ${sumRate('vllm:prompt_tokens_by_source_total', `${engines},source="local_compute"`)}`,
        }),
        compared({
          title: 'Engines',
          description: 'Planned, and those that get requests.',
          series: planSeries.engines,
          actual: `sum(max by (server) (vllm:healthy_pods_total{${routers}}))`,
        }),
      ],
    },
  ],
};
