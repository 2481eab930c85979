// Load of the engines of a fleet at a few hundred moments: enough for a chart, however long the run.
import type { EngineStats } from '../engine/index.ts';

/** Values at one moment; arrays are by engine. */
export interface FleetSample {
  readonly atSeconds: number;
  readonly running: readonly number[];
  readonly waiting: readonly number[];
  /** Share of the KV blocks that requests hold. */
  readonly kvUsage: readonly number[];
}

/** Maximum number of samples; above it, every second sample is dropped and the interval doubles. */
const samplesMax = 600;
const firstEverySeconds = 0.05;

export class FleetSeries {
  #samples: FleetSample[] = [];
  #everySeconds = firstEverySeconds;
  #nextSeconds = 0;

  get samples(): readonly FleetSample[] {
    return this.#samples;
  }

  /** Must be called before anything changes at `nowSeconds`. */
  advance(nowSeconds: number, engines: readonly { readonly stats: EngineStats }[]): void {
    if (nowSeconds < this.#nextSeconds) return;
    const stats = engines.map((engine) => engine.stats);
    const sample = {
      running: stats.map(({ running }) => running),
      waiting: stats.map(({ waiting }) => waiting),
      kvUsage: stats.map(({ kvUsage }) => kvUsage),
    };
    // Nothing has changed since the last event, so one sample is valid for all moments since.
    while (this.#nextSeconds <= nowSeconds) {
      this.#samples.push({ atSeconds: this.#nextSeconds, ...sample });
      this.#nextSeconds += this.#everySeconds;
      if (this.#samples.length > samplesMax) this.#thin();
    }
  }

  #thin(): void {
    this.#samples = this.#samples.filter((_, i) => i % 2 === 0);
    this.#everySeconds *= 2;
    this.#nextSeconds = (this.#samples.at(-1)?.atSeconds ?? 0) + this.#everySeconds;
  }
}
