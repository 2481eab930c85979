// What to watch: dashboards and rules as data, and the files that Grafana and Prometheus read.
export { dashboards } from './all-dashboards.ts';
export type { Dashboard, DashboardVariable, Panel, PanelRow } from './dashboard.ts';
export { filledIn, metricNames } from './expression.ts';
export { grafanaDashboard } from './grafana.ts';
export { planSeries } from './plan-series.ts';
export { prometheusConfig, type ScrapeJob, type ScrapeTarget } from './prometheus-config.ts';
export { ruleCases } from './rule-cases/all-cases.ts';
export { promtoolTest } from './rule-cases/rule-case.ts';
export { alertRules, recordingRules } from './rules/all-rules.ts';
export { gateAlerts, gateRecordings, hbmAlerts } from './rules/hbm-rules.ts';
export { type RuleGroup, recording } from './rules/rule.ts';
export {
  namespaceScope,
  plainScope,
  type RulesFileOptions,
  ruleGroups,
  rulesFile,
  runbookAnchor,
} from './rules/rules-file.ts';
