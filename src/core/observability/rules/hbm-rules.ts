// Pressure on HBM: before requests are preempted, when they are, and what the gate would say.
import type { Thresholds } from '../../values/index.ts';
import { alert, type RuleGroup, type RuleScope, recording } from './rule.ts';

/** Seconds over which the gate judges, and the name of that time in PromQL. */
const gateWindowSeconds = 86_400;
const gateWindow = '1d';
/** Share of the window of which the gate wants samples. */
const gateCoverageMin = 0.9;

/** The series that the gate's alert reads. A quantile of a day is expensive, so it is computed once. */
export const gateSeries = {
  p99: 'instance:vllm_kv_cache_usage:p99_1d',
  coverage: 'instance:vllm_kv_cache_usage:coverage_1d',
} as const;

/** KV cache utilization by its name and by the one before vLLM 0.11. */
function usage({ engines }: RuleScope, rest: string): string {
  return ['vllm:kv_cache_usage_perc', 'vllm:gpu_cache_usage_perc']
    .map((metric) => `${metric}{${engines}}${rest}`)
    .join(' or ');
}

/** The recorded P99 of the day, and for how much of it there are samples. */
export const gateRecordings: RuleGroup = {
  name: 'spillway-gate',
  intervalSeconds: 60,
  rules: [
    recording({
      name: gateSeries.p99,
      unit: 'percentunit',
      description:
        'KV cache utilization of each engine that is exceeded in 1 % of the last 24 hours: what "spillway gate" judges.',
      expression: (scope) =>
        `quantile_over_time(0.99, vllm:kv_cache_usage_perc{${scope.engines}}[${gateWindow}])`,
    }),
    recording({
      name: gateSeries.coverage,
      unit: 'percentunit',
      description: 'Share of the last 24 hours, by the minute, in which the engine was scraped.',
      expression: ({ engines }) =>
        `count_over_time((vllm:kv_cache_usage_perc{${engines}} >= 0)[${gateWindow}:1m]) / ${gateWindowSeconds / 60}`,
    }),
  ],
};

/** Alerts at the thresholds of a plan. */
export function hbmAlerts({ hbmUtilization, hbmSustainedSeconds }: Thresholds): RuleGroup {
  const percent = `${Number((hbmUtilization * 100).toFixed(2))} %`;
  return {
    name: 'spillway-hbm',
    rules: [
      alert({
        name: 'VllmHbmPressure',
        severity: 'warning',
        unit: 'percentunit',
        forSeconds: hbmSustainedSeconds,
        expression: (scope) => usage(scope, ` >= ${hbmUtilization}`),
        summary: `KV cache of {{ $labels.instance }} at or above ${percent} for ${durationWords(hbmSustainedSeconds)}`,
        description:
          'Requests will soon be preempted and their prompts recomputed. Add engines, route by prefix, or offload KV.',
        dashboard: 'engines',
      }),
      alert({
        name: 'VllmPreempting',
        severity: 'critical',
        unit: 'short',
        forSeconds: hbmSustainedSeconds,
        expression: ({ engines }) => `increase(vllm:num_preemptions_total{${engines}}[5m]) > 0`,
        summary: '{{ $labels.instance }} preempts requests',
        description:
          'HBM is too small for the running requests. Throughput is lost to recomputing prompts.',
        dashboard: 'cache',
      }),
    ],
  };
}

/** The gate as an alert: the same limit, the same window, and the same share of samples. */
export function gateAlerts({ hbmUtilization }: Pick<Thresholds, 'hbmUtilization'>): RuleGroup {
  const percent = `${Number((hbmUtilization * 100).toFixed(2))} %`;
  return {
    name: 'spillway-gate-alert',
    rules: [
      alert({
        name: 'VllmHbmGateFails',
        severity: 'warning',
        unit: 'percentunit',
        forSeconds: 0,
        expression: ({ engines }) =>
          `${gateSeries.p99}{${engines}} > ${hbmUtilization} and ${gateSeries.coverage}{${engines}} >= ${gateCoverageMin}`,
        summary: `HBM utilization P99 over 24 h of {{ $labels.instance }} is above ${percent}`,
        description:
          '"spillway gate" fails. The engine was full in more than 1 % of the day; see which requests fill it, and "spillway plan --from-prometheus" for what would help.',
        dashboard: 'engines',
      }),
    ],
  };
}

/** 5 min, 90 s. */
function durationWords(seconds: number): string {
  return seconds % 60 === 0 ? `${seconds / 60} min` : `${seconds} s`;
}
