// Parts that the reports of simulated runs share: verdict, latencies, one line per request.
export { latencies, latencyTable } from './latency-table.ts';
export { perRequestLines } from './per-request.ts';
export {
  type Stability,
  stabilityOf,
  verdictLine,
  verdictWarnings,
} from './verdict.ts';
