// Replays traces against an OpenAI-compatible server and measures the responses.
export { createProgressDisplay, type ProgressOutput } from './progress.ts';
export { type ReplayProgress, type ReplayResult, replay } from './replay.ts';
export { replayTable } from './replay-table.ts';
export {
  createRequestWriter,
  type PromptApi,
  promptApis,
  type RequestWriter,
} from './request-body.ts';
export {
  type ReplayOptions,
  type ReplayOutcome,
  type ReplayPlan,
  replayJson,
  runReplay,
} from './run-replay.ts';
export { createStreamClient, type StreamClient, type StreamedAnswer } from './stream-client.ts';
