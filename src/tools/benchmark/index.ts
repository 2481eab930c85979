// Sends load to OpenAI-compatible servers and measures the responses.

export { type LoadApi, loadApis, type PromptApi, promptApis } from './load-api.ts';
export type { LoadOptions } from './load-options.ts';
export type { LoadOutcome, LoadPlan } from './load-outcome.ts';
export { type LoadSource, listedRequests, type Traffic } from './load-source.ts';
export { loadTable } from './load-table.ts';
export { createProgressDisplay, type ProgressOutput } from './progress.ts';
export { type ReplayProgress, type ReplayResult, replay } from './replay.ts';
export { createRequestWriter, type LoadRequest, type RequestWriter } from './request-body.ts';
export { requestsCsv } from './requests-csv.ts';
export { type LoadContext, runLoad } from './run-load.ts';
export { type ReplayOptions, replayJson, runReplay } from './run-replay.ts';
export { runServe } from './run-serve.ts';
export { type ServeLabels, type ServeOptions, serveJson } from './serve-result.ts';
export {
  datasetNames,
  isConversational,
  type ServeTraffic,
  serveSource,
  serveTraffic,
  simulatedTraffic,
  workloadSource,
} from './serve-traffic.ts';
export { createStreamClient, type StreamClient } from './stream-client.ts';
export { waitReady } from './wait-ready.ts';
