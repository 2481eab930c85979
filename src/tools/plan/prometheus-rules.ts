// The Prometheus rules of a plan: alerts at its thresholds, and its figures as series for the dashboard "plan".
import {
  gateAlerts,
  gateRecordings,
  hbmAlerts,
  plainScope,
  planSeries,
  type RuleGroup,
  recording,
  rulesFile,
} from '../../core/observability/index.ts';
import type { Thresholds } from '../../core/values/index.ts';
import type { Plan } from './plan.ts';
import type { Estimate, Scenario } from './scenario.ts';

/** Where the alerts are explained. */
const runbooks = 'docs/guide/alerts.md';

/** Returns the rules file. */
export function prometheusRules(plan: {
  readonly thresholds: Thresholds;
  readonly engines: number;
  readonly impact: { readonly planned: PlannedFigures };
}): string {
  const { thresholds } = plan;
  const groups = [
    plannedFigures(plan),
    gateRecordings,
    hbmAlerts(thresholds),
    gateAlerts(thresholds),
  ];
  return rulesFile(groups, {
    ...{ scope: plainScope, runbooks },
    comment:
      'Written by "spillway plan": its figures as series, and alerts on HBM at its thresholds. KV cache utilization tells pressure; device memory does not, because vLLM reserves its share when it starts.',
  });
}

type PlannedFigures = Pick<
  Scenario,
  | 'ttftMs'
  | 'tpotMs'
  | 'e2eMs'
  | 'throughput'
  | 'hitRate'
  | 'kvUseP99'
  | 'preemptionsPerMinute'
  | 'redundantPrefill'
>;

/** The figures of the planned fleet with their intervals, by the label `bound`. */
function plannedFigures(plan: {
  readonly engines: Plan['engines'];
  readonly impact: { readonly planned: PlannedFigures };
}): RuleGroup {
  const { planned } = plan.impact;
  const exact: Estimate = { mean: plan.engines, low: plan.engines, high: plan.engines };
  const figures: readonly (readonly [string, Estimate, number])[] = [
    [planSeries.ttftSeconds, planned.ttftMs, 1e-3],
    [planSeries.tpotSeconds, planned.tpotMs, 1e-3],
    [planSeries.e2eSeconds, planned.e2eMs, 1e-3],
    [planSeries.tokensPerSecond, planned.throughput, 1],
    [planSeries.hitRate, planned.hitRate, 1],
    [planSeries.kvUseP99, planned.kvUseP99, 1],
    [planSeries.preemptionsPerMinute, planned.preemptionsPerMinute, 1],
    [planSeries.redundantPrefill, planned.redundantPrefill, 1],
    [planSeries.engines, exact, 1],
  ];
  return {
    name: 'spillway-plan',
    rules: figures.flatMap(([name, estimate, factor]) =>
      (['mean', 'low', 'high'] as const)
        // A figure that no run had, such as a latency of an overloaded fleet.
        .filter((bound) => Number.isFinite(estimate[bound]))
        .map((bound) =>
          recording({
            name,
            unit: 'none',
            description: 'A figure of the plan.',
            labels: { bound },
            expression: () => `vector(${Number((estimate[bound] * factor).toPrecision(6))})`,
          }),
        ),
    ),
  };
}
