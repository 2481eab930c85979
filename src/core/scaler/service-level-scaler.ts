// The built-in scaler: as many engines as the time to first token needs when the next engine could be ready.
//
// Engines say how long they compute a prompt. With the arrival rate that is expected at the end of a start-up, this is the
// load, and the scaler takes the fewest engines whose queue keeps the service level (M/M/n). Requests that wait already are
// extra work. A full KV cache, which is the limit of long outputs, and a TTFT beyond the service level count as well.
import { ArrivalForecast } from './arrival-forecast.ts';
import { serversFor } from './erlang.ts';
import { type EngineBounds, type FleetReading, type Scaler, within } from './fleet-reading.ts';
import { Stabilized } from './stabilized.ts';

export interface ServiceLevelScalerOptions {
  readonly bounds: EngineBounds;
  /** Time to first token of the service level. */
  readonly ttftSeconds: number;
  /** From the decision to an engine that serves. */
  readonly startupSeconds: number;
  /** Share of the requests that may be later. @default 0.01 */
  readonly lateShare?: number;
  /** Engines go when fewer have been enough for this time. @default two start-ups, at least 120 */
  readonly downSeconds?: number;
  /** Whether a rising arrival rate is expected to rise on. @default true */
  readonly forecast?: boolean;
  /** With `min: 0`: how long no request must have come before the last engine goes. @default 600 */
  readonly idleSeconds?: number;
}

const lateShareDefault = 0.01;
const idleSecondsDefault = 600;
/** Engines are not removed before fewer have been enough for so many start-ups, and so many seconds. */
const downStartups = 2;
const downSecondsMin = 120;
/** Above it vLLM begins to preempt requests when their outputs grow. */
const kvUsageMax = 0.85;
/** Looks in a row with a late TTFT: a few long prompts make one look late, and no engine makes them shorter. */
const lateLooksMin = 4;
/** Prompts over which their mean time is taken: some are a hundred times as long as others. */
const promptsAveraged = 200;

/** A need for engines, and what it comes from. */
interface Need {
  readonly engines: number;
  readonly why: string;
}

export class ServiceLevelScaler implements Scaler {
  readonly #options: ServiceLevelScalerOptions;
  readonly #arrivals = new ArrivalForecast();
  readonly #stabilized: Stabilized;
  /** Seconds of an engine's work per request; undefined until one is known. */
  #workSeconds: number | undefined;
  #lastPrefill: Pick<FleetReading, 'prefilled' | 'prefillSeconds'> | undefined;
  #lateLooks = 0;
  #lastArrived: number | undefined;
  #lastArrivalSeconds: number | undefined;
  #why = '';

  constructor(options: ServiceLevelScalerOptions) {
    this.#options = options;
    const byDefault = Math.max(downStartups * options.startupSeconds, downSecondsMin);
    this.#stabilized = new Stabilized(options.downSeconds ?? byDefault);
  }

  decide(reading: FleetReading): number {
    const { bounds } = this.#options;
    this.#arrivals.add(reading.nowSeconds, reading.arrived);
    this.#learn(reading);
    const isAwake = this.#isAwake(reading);
    const wanted = isAwake ? this.#wanted(reading) : this.#idle();
    const steady = this.#stabilized.add(reading.nowSeconds, wanted.engines);
    const decided = within(isAwake ? steady : 0, bounds);
    this.#why =
      decided < wanted.engines ? `${wanted.why}, of which at most ${decided} may be` : wanted.why;
    return decided;
  }

  /** Why the last decision is what it is, as the end of a sentence. */
  get why(): string {
    return this.#why;
  }

  #idle(): Need {
    const { idleSeconds = idleSecondsDefault } = this.#options;
    return { engines: 0, why: `no request has come for ${idleSeconds} s` };
  }

  /** Whether a request has come lately, or is there. */
  #isAwake(reading: FleetReading): boolean {
    const { nowSeconds, ready, starting, arrived, waiting, running, held } = reading;
    const { idleSeconds = idleSecondsDefault } = this.#options;
    const before = this.#lastArrived ?? arrived;
    if (arrived !== before || waiting + running + held > 0) this.#lastArrivalSeconds = nowSeconds;
    this.#lastArrived = arrived;
    // At the first look, engines are taken to have been needed; where there are none, there was nothing to do.
    this.#lastArrivalSeconds ??= ready + starting > 0 ? nowSeconds : Number.NEGATIVE_INFINITY;
    return held > 0 || nowSeconds - this.#lastArrivalSeconds < idleSeconds;
  }

  #learn({ prefilled, prefillSeconds }: FleetReading): void {
    const last = this.#lastPrefill;
    this.#lastPrefill = { prefilled, prefillSeconds };
    // Sums of engines: they become smaller when one of them goes.
    if (last === undefined || prefilled <= last.prefilled || prefillSeconds < last.prefillSeconds)
      return;
    const count = prefilled - last.prefilled;
    const mean = (prefillSeconds - last.prefillSeconds) / count;
    const known = this.#workSeconds ?? mean;
    this.#workSeconds = known + Math.min(1, count / promptsAveraged) * (mean - known);
  }

  /** At least one. */
  #wanted(reading: FleetReading): Need {
    const { ready, starting, kvUsage, ttftSeconds, held } = reading;
    const { bounds } = this.#options;
    const present = ready + starting;
    let most = this.#neededForArrivals(reading);
    const needs = (engines: number, why: string) => {
      if (engines > most.engines) most = { engines, why };
    };
    const rate = this.#arrivals.perSecond;
    const growth = rate > 0 ? this.#expectedPerSecond / rate : 1;
    const forMemory = Math.ceil((ready * kvUsage * Math.min(2, growth)) / kvUsageMax);
    needs(forMemory, `${Math.round(100 * kvUsage)} % of the KV cache is in use`);
    // One more at a time: how much it helps shows when it is ready.
    const isLate = ttftSeconds !== undefined && ttftSeconds > this.#options.ttftSeconds;
    this.#lateLooks = isLate ? this.#lateLooks + 1 : 0;
    if (this.#lateLooks >= lateLooksMin && starting === 0) {
      const level = this.#options.ttftSeconds;
      needs(present + 1, `the time to first token is ${ttftSeconds?.toFixed(1)} s, not ${level} s`);
    }
    needs(1, held > 0 ? 'requests wait for a first engine' : 'a request has come lately');
    return { ...most, engines: Math.min(bounds.max, most.engines) };
  }

  get #expectedPerSecond(): number {
    const { startupSeconds, forecast = true } = this.#options;
    return forecast ? this.#arrivals.highestWithin(startupSeconds) : this.#arrivals.perSecond;
  }

  #neededForArrivals({ ready, starting, waiting, held }: FleetReading): Need {
    const { ttftSeconds, startupSeconds, lateShare: share = lateShareDefault } = this.#options;
    const work = this.#workSeconds;
    if (work === undefined) {
      return { engines: ready + starting, why: 'the time that a prompt takes is not known yet' };
    }
    const perSecond = this.#expectedPerSecond;
    // What waits must be done by the time that another engine would begin. One request per engine is an ordinary queue.
    const backlog = Math.max(0, waiting + held - ready);
    const load = perSecond * work + (backlog * work) / Math.max(startupSeconds, ttftSeconds);
    const waitSeconds = Math.max(0, ttftSeconds - work);
    const queue = backlog > 0 ? ` and ${Math.round(backlog)} waiting` : '';
    return {
      engines: serversFor(load, work, { waitSeconds, share }, this.#options.bounds.max),
      why: `${perSecond.toFixed(1)} requests/s expected${queue}, of ${work.toFixed(2)} s each`,
    };
  }
}
