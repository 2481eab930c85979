// Start and end of the outages of a simulated fleet's engines, in order of time.
import type { EngineFailure } from './fleet-options.ts';

/** An engine stops, or returns. */
export interface OutageEdge {
  readonly atSeconds: number;
  readonly engine: number;
  readonly isUp: boolean;
}

/** @returns In order of time; an engine that never returns has only a stop. */
export function outageEdges(failures: readonly EngineFailure[]): OutageEdge[] {
  return failures
    .flatMap(({ engine, atSeconds, seconds }) => [
      { atSeconds, engine, isUp: false },
      { atSeconds: atSeconds + seconds, engine, isUp: true },
    ])
    .filter(({ atSeconds }) => Number.isFinite(atSeconds))
    .sort((a, b) => a.atSeconds - b.atSeconds);
}
