// Statistics of a load run: percentiles, latencies, goodput, and vLLM's result keys.
export { type Estimate, estimate, studentQuantile } from './confidence.ts';
export {
  type Latencies,
  latenciesOf,
  meets,
  type RequestError,
  type RequestRecord,
  type ServiceLevel,
  type Times,
} from './latencies.ts';
export { percentile, type Summary, samplesNeeded, summarize } from './percentile.ts';
export { latencyKeys, serveSummaryJson, toServeJson } from './serve-json.ts';
export {
  type LatencyName,
  type LatencySummaries,
  latencyNames,
  loadSpread,
  reportOf,
  type ServeReport,
} from './serve-report.ts';
