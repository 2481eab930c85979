// What to watch: the panels of dashboards, as data, and Grafana's JSON of them.
export { dashboards } from './all-dashboards.ts';
export type { Dashboard, DashboardVariable, Panel, PanelRow } from './dashboard.ts';
export { filledIn, metricNames } from './expression.ts';
export { grafanaDashboard } from './grafana.ts';
export { planSeries } from './plan-series.ts';
