// How a stream is followed, by its API.
import type { FollowedStream } from './followed-stream.ts';
import { MigratableStream, type TokenStreamPlan } from './migratable-stream.ts';
import type { NamedStreamKind } from './named-event.ts';
import { NamedStream } from './named-stream.ts';
import type { TokenStreamKind } from './stream-event.ts';
import type { StreamMemory } from './stream-memory.ts';
import type { UsualEvents } from './usual-event.ts';

/** What the events of a stream that can move are. */
export type StreamKind = TokenStreamKind | NamedStreamKind;

/** What a stream is, and how it moves. */
export type StreamPlan = TokenStreamPlan | NamedStreamPlan;

interface NamedStreamPlan {
  readonly kind: NamedStreamKind;
  readonly hidesIds: false;
}

/** @param usual What the usual events of the last streams looked like. */
export function followStream(
  plan: StreamPlan,
  memory: StreamMemory,
  usual: UsualEvents,
): FollowedStream {
  return isNamed(plan)
    ? new NamedStream(plan.kind, memory)
    : new MigratableStream(plan, memory, usual);
}

function isNamed(plan: StreamPlan): plan is NamedStreamPlan {
  return plan.kind === 'messages' || plan.kind === 'responses';
}
