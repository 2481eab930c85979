// The last minutes of the fleet, from one snapshot per second: what the time lines show.
import type { EngineSnapshot, RouterSnapshot } from '../../src/apps/up/snapshot.ts';

/** Points kept: five minutes at one per second. */
export const pointsMax = 300;
/** Rates are taken over this long, so that single requests do not make spikes. */
const rateWindowSeconds = 10;

/** One engine at one moment. Null: not known. */
export interface EnginePoint {
  readonly atSeconds: number;
  readonly kvUsage: number | null;
  readonly running: number | null;
  readonly waiting: number | null;
  /** Counters as reported, to take rates from. */
  readonly counters: Pick<
    NonNullable<EngineSnapshot['reported']>,
    'prefixCacheQueries' | 'prefixCacheHits' | 'promptTokens' | 'generationTokens'
  > | null;
}

export interface History {
  /** When each point was taken: Unix seconds. */
  readonly times: readonly number[];
  readonly requestsPerSecond: readonly (number | null)[];
  readonly inflight: readonly number[];
  /** By URL, aligned with `times`; shorter for an engine that came later. */
  readonly engines: ReadonlyMap<string, readonly EnginePoint[]>;
  /** When the router was last seen to have started anew: Unix seconds. */
  readonly restartedAtSeconds: number | undefined;
  readonly lastUptimeSeconds: number;
}

export const emptyHistory: History = {
  times: [],
  requestsPerSecond: [],
  inflight: [],
  engines: new Map(),
  restartedAtSeconds: undefined,
  lastUptimeSeconds: 0,
};

/** The history with one more point; the oldest falls away. */
export function appendSnapshot(
  history: History,
  snapshot: RouterSnapshot,
  atSeconds: number,
): History {
  const engines = new Map<string, readonly EnginePoint[]>();
  for (const engine of snapshot.engines) {
    const before = history.engines.get(engine.url) ?? [];
    engines.set(engine.url, last([...before, pointOf(engine, atSeconds)]));
  }
  const restarted = snapshot.uptimeSeconds < history.lastUptimeSeconds;
  return {
    times: last([...history.times, atSeconds]),
    requestsPerSecond: last([...history.requestsPerSecond, snapshot.requestsPerSecond]),
    inflight: last([...history.inflight, snapshot.inflight]),
    engines,
    restartedAtSeconds: restarted ? atSeconds : history.restartedAtSeconds,
    lastUptimeSeconds: snapshot.uptimeSeconds,
  };
}

export interface EngineRates {
  /** Share of prompt tokens found in the prefix cache; null if none were looked up. */
  readonly hitRate: number | null;
  readonly promptTokensPerSecond: number;
  readonly generationTokensPerSecond: number;
}

/** Rates over the last ten seconds before the point at `index`. */
export function ratesAt(points: readonly EnginePoint[], index = points.length - 1): EngineRates {
  const none = { hitRate: null, promptTokensPerSecond: 0, generationTokensPerSecond: 0 };
  const end = points[index];
  if (!end?.counters) return none;
  let start: EnginePoint | undefined;
  for (let i = index - 1; i >= 0; i--) {
    const point = points[i];
    if (!point || end.atSeconds - point.atSeconds > rateWindowSeconds) break;
    if (point.counters) start = point;
  }
  if (!start?.counters) return none;
  const grown = (key: keyof NonNullable<EnginePoint['counters']>): number => {
    const from = start.counters?.[key] ?? 0;
    const to = end.counters?.[key] ?? 0;
    // A counter that fell belongs to an engine that started anew.
    return to >= from ? to - from : to;
  };
  const seconds = end.atSeconds - start.atSeconds;
  const queries = grown('prefixCacheQueries');
  return {
    hitRate: queries > 0 ? Math.min(1, grown('prefixCacheHits') / queries) : null,
    promptTokensPerSecond: grown('promptTokens') / seconds,
    generationTokensPerSecond: grown('generationTokens') / seconds,
  };
}

function pointOf({ reported }: EngineSnapshot, atSeconds: number): EnginePoint {
  return {
    atSeconds,
    kvUsage: reported?.kvUsage ?? null,
    running: reported?.running ?? null,
    waiting: reported?.waiting ?? null,
    counters: reported,
  };
}

function last<T>(items: readonly T[]): readonly T[] {
  return items.length > pointsMax ? items.slice(-pointsMax) : items;
}
