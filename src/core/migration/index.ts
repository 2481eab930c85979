// Streams that move: what a client has of a streamed response, and how another engine continues it.
export {
  askingStart,
  includesUsage,
  restAfterStart,
  withTokenIds,
} from './continuation-request.ts';
export {
  MigratableStream,
  type MigrationRefusal,
  type StreamFault,
  type StreamPlan,
} from './migratable-stream.ts';
export type { StreamKind } from './stream-event.ts';
export { TranscriptBudget } from './transcript-budget.ts';
export { UsualEvents } from './usual-event.ts';
