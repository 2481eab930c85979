// Streams that move: what a client has of a streamed response, and how another engine continues it.
export {
  askingStart,
  includesUsage,
  restAfterStart,
  withTokenIds,
} from './continuation-request.ts';
export { FollowedStream, type MigrationRefusal, type StreamFault } from './followed-stream.ts';
export { MigratableStream, type TokenStreamPlan } from './migratable-stream.ts';
export type { TokenStreamKind } from './stream-event.ts';
export { TranscriptBudget } from './transcript-budget.ts';
export { UsualEvents } from './usual-event.ts';
