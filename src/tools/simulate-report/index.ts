// Parts that the reports of simulated runs share: verdict, latencies, redundant prefill, one line per request.
export { latencies, latencyTable } from './latency-table.ts';
export { perRequestLines } from './per-request.ts';
export { redundantPrefillJson, redundantPrefillLines } from './redundant-prefill.ts';
export {
  type Stability,
  stabilityOf,
  verdictLine,
  verdictWarnings,
} from './verdict.ts';
