// Sends load to OpenAI-compatible servers and measures the responses.
export { loadTable } from './load-table.ts';
export { createProgressDisplay, type ProgressOutput } from './progress.ts';
export { type ReplayProgress, type ReplayResult, replay } from './replay.ts';
export {
  createRequestWriter,
  type LoadRequest,
  type PromptApi,
  promptApis,
  type RequestWriter,
} from './request-body.ts';
export {
  type LoadContext,
  type LoadOptions,
  type LoadOutcome,
  type LoadPlan,
  runLoad,
  type Traffic,
} from './run-load.ts';
export { type ReplayOptions, replayJson, runReplay } from './run-replay.ts';
export { type ServeLabels, type ServeOptions, serveJson } from './serve-result.ts';
export { datasetNames, type ServeTraffic, serveTraffic } from './serve-traffic.ts';
export { createStreamClient, type StreamClient, type StreamedAnswer } from './stream-client.ts';
