// A simulated fleet whose number of engines changes: engines start with an empty cache after their start-up time, and
// those that are stopped finish what they have.
import type { FleetReading } from '../scaler/index.ts';
import { percentile } from '../stats/index.ts';
import type { FleetEngine } from './fleet-engine.ts';
import type { FleetRouters } from './fleet-routers.ts';
import type { ScalingResult, SimulatedScaling } from './scaling-options.ts';

/** What the scaler reads of the requests. */
export interface ScalingRequests {
  readonly arrived: number;
  readonly prefilled: number;
  readonly prefillSeconds: number;
  readonly held: number;
  /** Times to first token since the last look. */
  takeTtfts(): readonly number[];
}

type State = 'off' | 'starting' | 'ready' | 'draining';

const everySecondsDefault = 15;
/** The scaler reads the TTFT that so many percent of the requests stay below. */
const ttftPercent = 90;

export class FleetScaling {
  readonly #options: SimulatedScaling;
  readonly #engines: readonly FleetEngine[];
  readonly #routers: FleetRouters;
  readonly #states: State[];
  /** When each engine was started, and when it serves. */
  readonly #since: number[];
  readonly #readySeconds: number[];
  #nextLook: number;
  #engineSeconds = 0;
  #started = 0;
  #stopped = 0;

  constructor(options: SimulatedScaling, engines: readonly FleetEngine[], routers: FleetRouters) {
    this.#options = options;
    this.#engines = engines;
    this.#routers = routers;
    this.#nextLook = options.everySeconds ?? everySecondsDefault;
    this.#states = engines.map((_, index) => (index < options.startEngines ? 'ready' : 'off'));
    this.#since = engines.map(() => 0);
    this.#readySeconds = engines.map(() => Number.POSITIVE_INFINITY);
    for (const { index, url } of this.#of('off')) {
      routers.engineFailed(url);
      (engines[index] as FleetEngine).isUp = false;
    }
  }

  /** When something changes by itself next. */
  get nextSeconds(): number {
    return Math.min(this.#nextLook, ...this.#readySeconds);
  }

  /** Lets engines serve that have started, and at its time asks the scaler. */
  act(nowSeconds: number, requests: ScalingRequests, lastArrivalSeconds: number): void {
    for (const engine of this.#of('starting')) {
      if ((this.#readySeconds[engine.index] as number) > nowSeconds) continue;
      this.#states[engine.index] = 'ready';
      this.#readySeconds[engine.index] = Number.POSITIVE_INFINITY;
      engine.isUp = true;
      this.#routers.engineIsBack(engine.url);
    }
    if (nowSeconds < this.#nextLook) return;
    this.#nextLook = nowSeconds + (this.#options.everySeconds ?? everySecondsDefault);
    for (const engine of this.#of('draining')) {
      if (engine.stats.running + engine.stats.waiting === 0) {
        this.#turnOff(engine, nowSeconds, lastArrivalSeconds);
      }
    }
    this.#follow(this.#options.scaler.decide(this.#reading(nowSeconds, requests)), nowSeconds);
  }

  result(endSeconds: number): ScalingResult {
    const running = this.#engines.filter(({ index }) => this.#states[index] !== 'off');
    const rest = running.reduce(
      (sum, { index }) => sum + endSeconds - (this.#since[index] as number),
      0,
    );
    return {
      engineSeconds: this.#engineSeconds + rest,
      started: this.#started,
      stopped: this.#stopped,
    };
  }

  #of(state: State): readonly FleetEngine[] {
    return this.#engines.filter(({ index }) => this.#states[index] === state);
  }

  #reading(nowSeconds: number, requests: ScalingRequests): FleetReading {
    const ready = this.#of('ready');
    const sum = (of: (engine: FleetEngine) => number) =>
      ready.reduce((total, engine) => total + of(engine), 0);
    const ttfts = [...requests.takeTtfts()].sort((a, b) => a - b);
    return {
      ...{ nowSeconds, ready: ready.length, starting: this.#of('starting').length },
      ...{ arrived: requests.arrived, held: requests.held },
      ...{ prefilled: requests.prefilled, prefillSeconds: requests.prefillSeconds },
      waiting: sum(({ stats }) => stats.waiting),
      running: sum(({ stats }) => stats.running),
      kvUsage: sum(({ stats }) => stats.kvUsage) / Math.max(1, ready.length),
      ttftSeconds: ttfts.length === 0 ? undefined : percentile(ttfts, ttftPercent),
    };
  }

  /** Starts the first engines that are off; stops the youngest first, as a ReplicaSet does. */
  #follow(wanted: number, nowSeconds: number): void {
    const present = [...this.#of('ready'), ...this.#of('starting')];
    for (const engine of this.#of('off').slice(0, Math.max(0, wanted - present.length))) {
      this.#states[engine.index] = 'starting';
      this.#since[engine.index] = nowSeconds;
      this.#readySeconds[engine.index] = nowSeconds + this.#options.startupSeconds;
      this.#started++;
    }
    const youngest = present.sort(
      (a, b) => (this.#since[b.index] as number) - (this.#since[a.index] as number),
    );
    for (const engine of youngest.slice(0, Math.max(0, present.length - wanted))) {
      this.#readySeconds[engine.index] = Number.POSITIVE_INFINITY;
      this.#states[engine.index] = 'draining';
      this.#routers.engineDrains(engine.url);
      this.#stopped++;
    }
  }

  #turnOff(engine: FleetEngine, nowSeconds: number, lastArrivalSeconds: number): void {
    this.#states[engine.index] = 'off';
    this.#engineSeconds += nowSeconds - (this.#since[engine.index] as number);
    engine.isUp = false;
    engine.fail(nowSeconds, lastArrivalSeconds);
    this.#routers.engineFailed(engine.url);
  }
}
