// Metrics: counters, gauges and histograms, and their page in the Prometheus text format.
export { Counter } from './counter.ts';
export type { FamilyOptions, Labels } from './family.ts';
export { Gauge, GaugeFamily } from './gauge.ts';
export { formatValue } from './number.ts';
export { MetricsRegistry, metricsContentType, openMetricsContentType } from './registry.ts';
export { restrictedPage } from './restricted-page.ts';
