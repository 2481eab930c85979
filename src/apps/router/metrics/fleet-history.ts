// The last hour of the fleet as series of points, which a reloaded page shows at once.
import { RingBuffer } from '../../../core/base/index.ts';
import type { EngineSeries } from '../../../core/gate/index.ts';
import {
  type EngineSeriesName,
  engineSeriesNames,
  type FleetSeriesName,
  fleetSeriesNames,
  type HistoryView,
  type SeriesView,
} from '../../../core/views/index.ts';

/** Interval between points. */
export const historyIntervalSeconds = 5;
/** Length of the series: an hour. */
export const historySeconds = 3_600;
/** Memory: 61 KB for the fleet, 20 KB for each engine. */
const pointsMax = historySeconds / historyIntervalSeconds;
/** Maximum number of engines with series, 10 MB in total; further engines have none. */
const enginesMax = 512;

export type FleetPoint = Readonly<Record<FleetSeriesName, number | null>>;
export type EnginePoint = Readonly<Record<EngineSeriesName, number | null>>;

/** All series of the fleet or of one engine; NaN stands for an unknown value. */
class SeriesRing<Name extends string> {
  readonly #names: readonly Name[];
  readonly #values: Float32Array;
  #length = 0;
  #next = 0;

  constructor(names: readonly Name[]) {
    this.#names = names;
    this.#values = new Float32Array(pointsMax * names.length);
  }

  push(point: Readonly<Record<Name, number | null>>): void {
    const names = this.#names;
    const start = this.#next * names.length;
    for (let i = 0; i < names.length; i++) {
      this.#values[start + i] = point[names[i] as Name] ?? Number.NaN;
    }
    this.#next = (this.#next + 1) % pointsMax;
    this.#length = Math.min(this.#length + 1, pointsMax);
  }

  /** All points of one series, oldest first; NaN where a value is unknown. */
  valuesOf(name: Name): Float32Array {
    const column = this.#names.indexOf(name);
    const first = (this.#next - this.#length + pointsMax) % pointsMax;
    return Float32Array.from({ length: this.#length }, (_, k) => {
      const at = ((first + k) % pointsMax) * this.#names.length + column;
      return this.#values[at] as number;
    });
  }

  /** The newest points of each series, at most `count`, oldest first. */
  newest(count: number): Record<Name, SeriesView> {
    const length = Math.min(count, this.#length);
    const first = (this.#next - length + pointsMax) % pointsMax;
    const series = this.#names.map((name, i): [Name, SeriesView] => [
      name,
      Array.from({ length }, (_, k) => {
        const value = this.#values[((first + k) % pointsMax) * this.#names.length + i] as number;
        return Number.isNaN(value) ? null : Math.round(value * 1e5) / 1e5;
      }),
    ]);
    return Object.fromEntries(series) as Record<Name, SeriesView>;
  }
}

interface EngineRing {
  name: string;
  readonly ring: SeriesRing<EngineSeriesName>;
}

export class FleetHistory {
  readonly #times = new RingBuffer<number>({ itemsMax: pointsMax });
  readonly #fleet = new SeriesRing(fleetSeriesNames);
  /** By URL. */
  readonly #engines = new Map<string, EngineRing>();

  /**
   * Adds one point of each series. Engines that are missing are dropped, with all their points.
   *
   * @param atSeconds Unix time, later than that of the point before.
   * @param engines By URL.
   */
  push(
    atSeconds: number,
    fleet: FleetPoint,
    engines: ReadonlyMap<string, { readonly name: string; readonly point: EnginePoint }>,
  ): void {
    this.#times.push(Math.round(atSeconds * 1000) / 1000);
    this.#fleet.push(fleet);
    for (const url of this.#engines.keys()) if (!engines.has(url)) this.#engines.delete(url);
    for (const [url, { name, point }] of engines) {
      let engine = this.#engines.get(url);
      if (engine === undefined) {
        if (this.#engines.size >= enginesMax) continue;
        engine = { name, ring: new SeriesRing(engineSeriesNames) };
        this.#engines.set(url, engine);
      }
      engine.name = name;
      engine.ring.push(point);
    }
  }

  /** KV cache utilization of each engine, as the gate judges it. */
  kvUsage(): EngineSeries[] {
    const times = [...this.#times];
    return Array.from(this.#engines.values(), ({ name, ring }) => {
      const values = ring.valuesOf('kvUsage');
      // An engine that was added later has the last ones of the times.
      return { name, times: times.slice(times.length - values.length), values, restarts: 0 };
    });
  }

  /** @param options `sinceSeconds`: only points after this Unix time. Unknown URLs are ignored. */
  view(options: { readonly urls: readonly string[]; readonly sinceSeconds: number }): HistoryView {
    const atSeconds = [...this.#times].filter((at) => at > options.sinceSeconds);
    const count = atSeconds.length;
    return {
      intervalSeconds: historyIntervalSeconds,
      atSeconds,
      fleet: this.#fleet.newest(count),
      engines: options.urls.flatMap((url) => {
        const engine = this.#engines.get(url);
        if (engine === undefined) return [];
        return [{ url, name: engine.name, series: engine.ring.newest(count) }];
      }),
    };
  }
}
