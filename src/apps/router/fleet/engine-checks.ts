// Checks the health of engines and reads their metrics at regular intervals.
import type { Engine } from './engine.ts';

/** Interval between health checks of an engine that is dead. */
const deadProbeIntervalMs = 1_000;

export interface CheckIntervals {
  /** Interval between health checks of a live engine. */
  readonly healthIntervalMs: number;
  /** Interval between readings of an engine's metrics. */
  readonly statsIntervalMs: number;
}

export class EngineChecks {
  readonly #engines: ReadonlyMap<string, Engine>;
  readonly #nowSeconds: () => number;
  #intervals: CheckIntervals;
  #timers: readonly NodeJS.Timeout[] = [];

  constructor(
    options: CheckIntervals & {
      readonly engines: ReadonlyMap<string, Engine>;
      readonly nowSeconds: () => number;
    },
  ) {
    this.#engines = options.engines;
    this.#nowSeconds = options.nowSeconds;
    this.#intervals = options;
  }

  start(): void {
    const { healthIntervalMs, statsIntervalMs } = this.#intervals;
    const engines = this.#engines;
    this.#timers = [
      setInterval(() => {
        for (const engine of engines.values()) void engine.probe();
      }, healthIntervalMs),
      setInterval(() => {
        for (const engine of engines.values()) if (!engine.live) void engine.probe();
      }, deadProbeIntervalMs),
      setInterval(() => {
        for (const engine of engines.values()) void engine.scrape(this.#nowSeconds);
      }, statsIntervalMs),
    ];
  }

  /** Applies new intervals from now on. */
  setIntervals(intervals: CheckIntervals): void {
    const { healthIntervalMs, statsIntervalMs } = this.#intervals;
    const isSame =
      intervals.healthIntervalMs === healthIntervalMs &&
      intervals.statsIntervalMs === statsIntervalMs;
    this.#intervals = intervals;
    if (isSame || this.#timers.length === 0) return;
    this.stop();
    this.start();
  }

  stop(): void {
    for (const timer of this.#timers) clearInterval(timer);
    this.#timers = [];
  }
}
