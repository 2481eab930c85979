// Alerts on routers and on what clients see.
import { alert, matchers, type RuleGroup, type RuleScope, recording } from './rule.ts';

/** Share of requests that may fail in a month. */
const errorBudget = 0.001;

const failedRatio = (window: string) => `job:spillway_requests:failed_ratio_rate${window}`;

const perModel = (metric: string, scope: RuleScope) =>
  `histogram_quantile(0.99, sum by (namespace, model, le) (rate(${metric}_bucket{${scope.routers}}[5m])))`;

/** Failed and refused requests of those that were not cancelled. */
function failedShare({ routers }: RuleScope, window: string): string {
  const sum = (metric: string, which: string) =>
    `sum by (namespace) (rate(${metric}{${matchers(routers, which)}}[${window}]))`;
  // Requests that are wrong themselves, and those for unknown models, count for the model "unknown".
  const refused = sum('spillway_router_refused_requests_total', 'model!="unknown"');
  const failed = sum('spillway_router_requests_total', 'outcome="failed"');
  const finished = sum('spillway_router_requests_total', 'outcome!="cancelled"');
  // Before the first refusal that counter has no series.
  return `(${failed} + (${refused} or 0 * ${failed})) / ((${finished} + (${refused} or 0 * ${finished})) > 0)`;
}

export const routerRecordings: RuleGroup = {
  name: 'spillway-router',
  rules: [
    recording({
      name: 'model:spillway_time_to_first_token_seconds:p99_5m',
      unit: 's',
      description: 'P99 of the time to first token of a model, as clients see it.',
      expression: (scope) => perModel('spillway_router_time_to_first_token_seconds', scope),
    }),
    recording({
      name: 'model:spillway_inter_token_latency_seconds:p99_5m',
      unit: 's',
      description: 'P99 of the time between the chunks of a stream of a model.',
      expression: (scope) => perModel('spillway_router_inter_token_latency_seconds', scope),
    }),
    recording({
      name: 'model:vllm_incoming_requests:rate5m',
      unit: 'reqps',
      description: 'Requests per second for a model.',
      expression: ({ routers }) =>
        `sum by (namespace, model) (rate(vllm:num_incoming_requests_total{${routers}}[5m]))`,
    }),
    ...['5m', '30m', '1h', '6h'].map((window) =>
      recording({
        name: failedRatio(window),
        unit: 'percentunit' as const,
        description: `Share of the requests that failed or were refused in ${window}; cancelled ones do not count.`,
        expression: (scope: RuleScope) => failedShare(scope, window),
      }),
    ),
  ],
};

export const routerAlerts: RuleGroup = {
  name: 'spillway-router-alerts',
  rules: [
    alert({
      name: 'SpillwayRouterDown',
      severity: 'critical',
      unit: 'none',
      forSeconds: 60,
      expression: ({ routerJobs }) => `absent(up{${routerJobs}} == 1)`,
      summary: 'No router can be scraped',
      description: 'Clients get no answer. Look at the log of the router.',
      dashboard: 'stack',
    }),
    alert({
      name: 'SpillwayNoEngine',
      severity: 'critical',
      unit: 'short',
      forSeconds: 60,
      expression: ({ routers }) => `sum by (namespace) (vllm:healthy_pods_total{${routers}}) == 0`,
      summary: 'The router has no healthy engine',
      description:
        'All requests get status 503. /engines of the router says what is wrong with each engine.',
      dashboard: 'engines',
    }),
    alert({
      name: 'SpillwayEngineUnhealthy',
      severity: 'warning',
      unit: 'none',
      forSeconds: 120,
      expression: ({ routers }) =>
        `max by (namespace, server) (vllm:healthy_pods_total{${routers}}) == 0`,
      summary: 'No router sends requests to {{ $labels.server }}',
      description:
        'Its health checks fail. The other engines carry its load; /engines of the router has the reason.',
      dashboard: 'engines',
    }),
    alert({
      name: 'SpillwayEngineEjected',
      severity: 'warning',
      unit: 'none',
      forSeconds: 300,
      expression: ({ routers }) =>
        `max by (namespace, server) (spillway_router_engine_ejected{${routers}}) == 1`,
      summary: '{{ $labels.server }} gets only trial requests',
      description:
        'It answers health checks and fails requests. Failures by kind are on the dashboard; its log has the cause.',
      dashboard: 'router',
    }),
    alert({
      name: 'SpillwayEngineStalls',
      severity: 'warning',
      unit: 'short',
      forSeconds: 0,
      expression: ({ routers }) =>
        `sum by (namespace, server) (increase(spillway_router_engine_stalls_total{${routers}}[15m])) > 0`,
      summary: 'The streams of {{ $labels.server }} stood still',
      description:
        'The engine accepted requests and sent nothing. Usually its GPU or its process hangs: restart it.',
      dashboard: 'router',
    }),
    alert({
      name: 'SpillwayRequestErrors',
      severity: 'warning',
      unit: 'reqps',
      forSeconds: 300,
      expression: ({ routers }) =>
        `sum by (namespace) (rate(vllm:request_errors_total{${routers}}[5m])) > 0.01 * sum by (namespace) (rate(vllm:num_incoming_requests_total{${routers}}[5m]))`,
      summary: 'More than 1 % of the attempts on engines fail',
      description:
        'Retries hide some of them from clients. The label error_type of vllm:request_errors_total says how they fail.',
      dashboard: 'router',
    }),
    // Two windows each: the long one says that it matters, the short one that it still lasts.
    // https://sre.google/workbook/alerting-on-slos/
    alert({
      name: 'SpillwayErrorBudgetBurnsFast',
      severity: 'critical',
      unit: 'percentunit',
      forSeconds: 120,
      expression: ({ routers }) => burns(routers, '1h', '5m', 14.4),
      summary: `Clients see more than ${percentOf(14.4 * errorBudget)} of their requests fail`,
      description: `At this rate the budget of ${percentOf(errorBudget)} failed requests a month is spent in 2 days. Failures by kind and refused requests are on the dashboard.`,
      dashboard: 'router',
    }),
    alert({
      name: 'SpillwayErrorBudgetBurns',
      severity: 'warning',
      unit: 'percentunit',
      forSeconds: 900,
      expression: ({ routers }) => burns(routers, '6h', '30m', 6),
      summary: `Clients see more than ${percentOf(6 * errorBudget)} of their requests fail for hours`,
      description: `At this rate the budget of ${percentOf(errorBudget)} failed requests a month is spent in 5 days.`,
      dashboard: 'router',
    }),
    alert({
      name: 'SpillwayRequestsRejected',
      severity: 'warning',
      unit: 'reqps',
      forSeconds: 300,
      expression: ({ routers }) =>
        `sum by (namespace) (rate(spillway_router_rejected_requests_total{${routers}}[5m])) > 0.01 * sum by (namespace) (rate(vllm:num_incoming_requests_total{${routers}}[5m]))`,
      summary: 'The router rejects more than 1 % of the requests with 429',
      description:
        'All engines are saturated, and waiting requests would come too late. Add engines, or lower the load.',
      dashboard: 'router',
    }),
    alert({
      name: 'SpillwayStreamsBroken',
      severity: 'critical',
      unit: 'short',
      forSeconds: 0,
      expression: ({ routers }) =>
        `sum by (namespace, reason) (increase(spillway_router_stream_migrations_total{${matchers(routers, 'outcome=~"failed|declined"')}}[15m])) > 0`,
      summary: 'Streams broke because their engine failed ({{ $labels.reason }})',
      description:
        'They could not continue on another engine. See which engine failed, and docs/guide/reliability.md for what can move.',
      dashboard: 'router',
    }),
    alert({
      name: 'SpillwayPredictionsOff',
      severity: 'warning',
      unit: 's',
      forSeconds: 1800,
      expression: ({ routers }) =>
        `${meanOf(routers, 'error')} > 0.25 and ${meanOf(routers, 'error')} > 0.5 * ${meanOf(routers, 'actual')}`,
      summary: 'Predicted times to first byte of {{ $labels.server }} are off by half',
      description:
        'Picks rest on them. Other clients of the engine, or a cache that the router does not know of, explain most of it.',
      dashboard: 'router',
    }),
  ],
};

function burns(routers: string, long: string, short: string, factor: number): string {
  const limit = Number((factor * errorBudget).toFixed(6));
  return `${failedRatio(long)}{${routers}} > ${limit} and ${failedRatio(short)}{${routers}} > ${limit}`;
}

function meanOf(routers: string, value: string): string {
  const sum = (part: string) =>
    `sum by (namespace, server) (rate(spillway_router_first_byte_prediction_seconds_${part}{${matchers(routers, `value="${value}"`)}}[15m]))`;
  return `${sum('sum')} / ${sum('count')}`;
}

function percentOf(share: number): string {
  return `${Number((share * 100).toFixed(4))} %`;
}
