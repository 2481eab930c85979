// Checks the health of engines and reads their metrics at regular intervals.
import { type CheckIntervals, CheckSchedule } from './check-schedule.ts';
import type { Engine } from './engine.ts';

/**
 * Engines whose models are read per second: with 100 engines and scrapes every 5 s, at each scrape; in larger fleets less
 * often, because each request costs 0.1 ms.
 */
const modelReadsPerSecondMax = 20;

export class EngineChecks {
  readonly #engines: ReadonlyMap<string, Engine>;
  readonly #notLive: ReadonlySet<Engine>;
  readonly #nowSeconds: () => number;
  #intervals: CheckIntervals;
  #timer: NodeJS.Timeout | undefined;

  constructor(
    options: CheckIntervals & {
      readonly engines: ReadonlyMap<string, Engine>;
      /** Those of them that are not live. */
      readonly notLive: ReadonlySet<Engine>;
      readonly nowSeconds: () => number;
    },
  ) {
    this.#engines = options.engines;
    this.#notLive = options.notLive;
    this.#nowSeconds = options.nowSeconds;
    this.#intervals = options;
  }

  start(): void {
    const schedule = new CheckSchedule<Engine>(this.#intervals);
    this.#timer = setInterval(() => this.#look(schedule), schedule.lookMs);
  }

  /** Applies new intervals from now on. */
  setIntervals(intervals: CheckIntervals): void {
    const { healthIntervalMs, statsIntervalMs } = this.#intervals;
    const isSame =
      intervals.healthIntervalMs === healthIntervalMs &&
      intervals.statsIntervalMs === statsIntervalMs;
    this.#intervals = intervals;
    if (isSame || this.#timer === undefined) return;
    this.stop();
    this.start();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #look(schedule: CheckSchedule<Engine>): void {
    const nowMs = this.#nowSeconds() * 1000;
    const { health, stats } = schedule.due(this.#engines, nowMs, this.#notLive);
    for (const engine of health) void engine.probe();
    const perSecond = (1000 * this.#engines.size) / this.#intervals.statsIntervalMs;
    const modelsEvery = Math.max(1, Math.ceil(perSecond / modelReadsPerSecondMax));
    for (const engine of stats) void engine.scrape(this.#nowSeconds, modelsEvery);
  }
}
