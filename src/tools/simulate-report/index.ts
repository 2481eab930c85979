// What simulated runs are told with: the verdict, latencies, a line for each request, pictures.
export { percent, tokens } from './figures.ts';
export { latencyTable } from './latency-table.ts';
export { perRequestLines } from './per-request.ts';
export { chartStyle, escapeXml, lineChart, type Series, stackedBars } from './svg-chart.ts';
export {
  type Stability,
  stabilityOf,
  verdictLine,
  verdictWarnings,
} from './verdict.ts';
