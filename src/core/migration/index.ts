// Streams that move: what a client has of a streamed response, and how another engine continues it.
export { includesUsage, withTokenIds } from './continuation-request.ts';
export {
  MigratableStream,
  type MigratableStreamOptions,
  type MigrationRefusal,
  type StreamFault,
} from './migratable-stream.ts';
export type { StreamKind } from './stream-event.ts';
export { TranscriptBudget } from './transcript-budget.ts';
