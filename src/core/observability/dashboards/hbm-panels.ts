// Panels on pressure in HBM, which several dashboards have.
import { defaultThresholds } from '../../values/index.ts';
import type { Panel } from '../dashboard.ts';
import { byEngine, engineLegend, engines, sumRate } from '../queries.ts';

const { hbmUtilization } = defaultThresholds;

export const hbmHeadroom: Panel = {
  title: 'HBM headroom to the gate',
  unit: 'percentunit',
  description: `${hbmUtilization * 100} % less the KV cache utilization: what is left before the alert and before "spillway gate" fails. Below zero, preemptions follow.`,
  queries: {
    [engineLegend]: `${hbmUtilization} - max by (${byEngine}) (vllm:kv_cache_usage_perc{${engines}})`,
  },
};

export const hbmGate: Panel = {
  title: 'P99 of the last day',
  ...{ kind: 'stat', unit: 'percentunit' },
  description: `KV cache utilization that is exceeded in 1 % of the time, of the fullest engine: what "spillway gate" judges. It fails above ${hbmUtilization * 100} %.`,
  queries: {
    'P99, 24 h': `max(quantile_over_time(0.99, vllm:kv_cache_usage_perc{${engines}}[1d]))`,
  },
  alarmAt: hbmUtilization,
};

export const preemptions: Panel = {
  title: 'Preemptions per second',
  description:
    'Requests that lost their KV cache because HBM was full. Their prompts are computed again. Should be zero.',
  queries: { [engineLegend]: sumRate('vllm:num_preemptions_total', engines, byEngine) },
};
