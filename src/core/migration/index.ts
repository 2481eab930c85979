// Streams that move: what a client has of a streamed response, and how another engine continues it.
export {
  askingStart,
  includesUsage,
  restAfterStart,
  withTokenIds,
} from './continuation-request.ts';
export { FollowedStream, type MigrationRefusal, type StreamFault } from './followed-stream.ts';
export { StreamMemory, type StreamShares } from './stream-memory.ts';
export { followStream, type StreamKind, type StreamPlan } from './stream-plan.ts';
export type { TextTokens } from './text-tokens.ts';
export { UsualEvents } from './usual-event.ts';
