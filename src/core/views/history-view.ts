// Series of the last minutes: /dashboard/history.
import { listOf, nullable, number, objectOf, parserOf, text } from './json-shape.ts';

/** Fleet figures that /dashboard/history has a series of. Latencies are in seconds, over a minute. */
export const fleetSeriesNames = [
  'requestsPerSecond',
  'clientErrorsPerSecond',
  'serverErrorsPerSecond',
  'inflight',
  'running',
  'waiting',
  'generationTokensPerSecond',
  'kvUsageMean',
  'kvUsageMax',
  'ttftP50',
  'ttftP90',
  'ttftP99',
  'tpotP50',
  'tpotP90',
  'tpotP99',
  'e2eP50',
  'e2eP90',
  'e2eP99',
] as const;
export type FleetSeriesName = (typeof fleetSeriesNames)[number];

/** Figures of one engine that /dashboard/history has a series of. */
export const engineSeriesNames = [
  'requestsPerSecond',
  'generationTokensPerSecond',
  'hitRate',
  'running',
  'waiting',
  'kvUsage',
  'ttftP90',
] as const;
export type EngineSeriesName = (typeof engineSeriesNames)[number];

/** Values at regular intervals, oldest first; null where a value is unknown. */
export type SeriesView = readonly (number | null)[];

export interface EngineHistoryView {
  readonly url: string;
  readonly name: string;
  /** Shape [n]; shorter than `atSeconds` for an engine that was added later: aligned at the end. */
  readonly series: { readonly [Name in EngineSeriesName]: SeriesView };
}

/** The whole of /dashboard/history. */
export interface HistoryView {
  readonly intervalSeconds: number;
  /** Shape [n]; Unix time of each point, ascending. */
  readonly atSeconds: readonly number[];
  /** Each of shape [n]. */
  readonly fleet: { readonly [Name in FleetSeriesName]: SeriesView };
  /** The engines that the request named. */
  readonly engines: readonly EngineHistoryView[];
}

const series = listOf(nullable(number));

const history = objectOf<HistoryView>({
  intervalSeconds: number,
  atSeconds: listOf(number),
  fleet: objectOf<HistoryView['fleet']>(seriesOf(fleetSeriesNames)),
  engines: listOf(
    objectOf<EngineHistoryView>({
      url: text,
      name: text,
      series: objectOf<EngineHistoryView['series']>(seriesOf(engineSeriesNames)),
    }),
  ),
});

/** Reads /dashboard/history. @throws {JsonShapeError} */
export const parseHistoryView: (json: string) => HistoryView = parserOf(history);

function seriesOf<Name extends string>(names: readonly Name[]) {
  return Object.fromEntries(names.map((name) => [name, series])) as {
    [Key in Name]: typeof series;
  };
}
