// The series of the charts: loaded from the router once, then extended by its newest points.
import type { HistoryView, SeriesView } from '../../src/core/views/index.ts';

/** Time kept, as by the router. */
const secondsMax = 3_600;
/** Points further apart than this many intervals have a gap between them, as after a restart. */
const gapIntervals = 3;

/** Points of several series, oldest first. */
export interface Points {
  /** Shape [n]; Unix time. */
  readonly atSeconds: readonly number[];
  /** Series by name, each of shape [n]; null where a value is unknown. */
  readonly series: Readonly<Record<string, SeriesView>>;
}

export interface History {
  readonly fleet: Points;
  /** By URL; only engines that were asked for. */
  readonly engines: ReadonlyMap<string, Points>;
}

const noPoints: Points = { atSeconds: [], series: {} };
export const emptyHistory: History = { fleet: noPoints, engines: new Map() };

/** The history with the points of a response that are new to it. */
export function mergeHistory(history: History, view: HistoryView): History {
  const { atSeconds, fleet, intervalSeconds } = view;
  const engines = new Map(history.engines);
  for (const { url, series } of view.engines) {
    // An engine that was added later has fewer points: its last one belongs to the last time.
    const length = Object.values(series)[0]?.length ?? 0;
    const at = length === 0 ? [] : atSeconds.slice(-length);
    engines.set(
      url,
      extended(engines.get(url) ?? noPoints, { atSeconds: at, series }, intervalSeconds),
    );
  }
  return { fleet: extended(history.fleet, { atSeconds, series: fleet }, intervalSeconds), engines };
}

/** Time of the newest point that all wanted series have; 0 without one. */
export function newestSeconds({ fleet }: History): number {
  return fleet.atSeconds.at(-1) ?? 0;
}

/** The points of the last seconds. */
export function recentPoints(points: Points, seconds: number): Points {
  const last = points.atSeconds.at(-1) ?? 0;
  const first = points.atSeconds.findIndex((at) => at > last - seconds);
  return first <= 0 ? points : sliced(points, first);
}

/** A series by name; all null if there is none. */
export function valuesOf({ series, atSeconds }: Points, name: string): SeriesView {
  return series[name] ?? atSeconds.map(() => null);
}

/** A series as values at other times; null where it has no point. */
export function alignedTo(times: readonly number[], points: Points, name: string): SeriesView {
  const values = new Map(points.atSeconds.map((at, i) => [at, points.series[name]?.[i] ?? null]));
  return times.map((at) => values.get(at) ?? null);
}

function extended(before: Points, added: Points, intervalSeconds: number): Points {
  const last = before.atSeconds.at(-1) ?? Number.NEGATIVE_INFINITY;
  const first = added.atSeconds.findIndex((at) => at > last);
  if (first < 0) return before;
  const fresh = sliced(added, first);
  const next = fresh.atSeconds[0] as number;
  const hasGap = next - last > gapIntervals * intervalSeconds && before.atSeconds.length > 0;
  const gap = hasGap ? [null] : [];
  const all: Points = {
    atSeconds: [
      ...before.atSeconds,
      ...(hasGap ? [last + intervalSeconds] : []),
      ...fresh.atSeconds,
    ],
    series: Object.fromEntries(
      Object.entries(fresh.series).map(([name, values]) => [
        name,
        [...valuesOf(before, name), ...gap, ...values],
      ]),
    ),
  };
  return recentPoints(all, secondsMax);
}

function sliced({ atSeconds, series }: Points, first: number): Points {
  return {
    atSeconds: atSeconds.slice(first),
    series: Object.fromEntries(
      Object.entries(series).map(([name, values]) => [name, values.slice(first)]),
    ),
  };
}
