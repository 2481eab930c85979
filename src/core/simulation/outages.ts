// When engines of a simulated fleet stop and come back, in order of time.
import type { EngineFailure } from './fleet-options.ts';

/** An engine stops, or comes back. */
export interface OutageEdge {
  readonly atSeconds: number;
  readonly engine: number;
  readonly isUp: boolean;
}

/** @returns In order of time; an engine that never comes back has no edge for it. */
export function outageEdges(failures: readonly EngineFailure[]): OutageEdge[] {
  return failures
    .flatMap(({ engine, atSeconds, seconds }) => [
      { atSeconds, engine, isUp: false },
      { atSeconds: atSeconds + seconds, engine, isUp: true },
    ])
    .filter(({ atSeconds }) => Number.isFinite(atSeconds))
    .sort((a, b) => a.atSeconds - b.atSeconds);
}
