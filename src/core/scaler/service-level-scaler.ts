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

export function serviceLevelScaler(options: ServiceLevelScalerOptions): Scaler {
  return new ServiceLevelScaler(options);
}

class ServiceLevelScaler implements Scaler {
  readonly #options: ServiceLevelScalerOptions;
  readonly #arrivals = new ArrivalForecast();
  readonly #stabilized: Stabilized;
  /** Seconds of an engine's work per request; undefined until one is known. */
  #workSeconds: number | undefined;
  #lastPrefill: Pick<FleetReading, 'prefilled' | 'prefillSeconds'> | undefined;
  #lateLooks = 0;
  #lastArrived = 0;
  #lastArrivalSeconds: number | undefined;

  constructor(options: ServiceLevelScalerOptions) {
    this.#options = options;
    const windowSeconds = Math.max(downStartups * options.startupSeconds, downSecondsMin);
    this.#stabilized = new Stabilized(windowSeconds);
  }

  decide(reading: FleetReading): number {
    const { bounds } = this.#options;
    this.#arrivals.add(reading.nowSeconds, reading.arrived);
    this.#learn(reading);
    const isAwake = this.#isAwake(reading);
    const wanted = isAwake ? Math.max(1, this.#wanted(reading)) : 0;
    const steady = this.#stabilized.add(reading.nowSeconds, wanted);
    return within(isAwake ? steady : 0, bounds);
  }

  /** Whether a request has come lately, or is there. */
  #isAwake({ nowSeconds, arrived, waiting, running, held }: FleetReading): boolean {
    const { idleSeconds = idleSecondsDefault } = this.#options;
    if (arrived !== this.#lastArrived || waiting + running + held > 0) {
      this.#lastArrivalSeconds = nowSeconds;
    }
    this.#lastArrived = arrived;
    this.#lastArrivalSeconds ??= nowSeconds;
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

  #wanted(reading: FleetReading): number {
    const { ready, starting, kvUsage, ttftSeconds } = reading;
    const { startupSeconds, bounds } = this.#options;
    const present = ready + starting;
    const needs = [this.#neededForArrivals(reading)];
    const rate = this.#arrivals.perSecond;
    const growth = rate > 0 ? this.#arrivals.highestWithin(startupSeconds) / rate : 1;
    needs.push(Math.ceil((ready * kvUsage * Math.min(2, growth)) / kvUsageMax));
    // One more at a time: how much it helps shows when it is ready.
    const isLate = ttftSeconds !== undefined && ttftSeconds > this.#options.ttftSeconds;
    this.#lateLooks = isLate ? this.#lateLooks + 1 : 0;
    if (this.#lateLooks >= lateLooksMin && starting === 0) needs.push(present + 1);
    return Math.min(bounds.max, Math.max(...needs));
  }

  #neededForArrivals({ ready, starting, waiting, held }: FleetReading): number {
    const { ttftSeconds, startupSeconds, lateShare: share = lateShareDefault } = this.#options;
    const work = this.#workSeconds;
    // Nothing is known yet.
    if (work === undefined) return ready + starting;
    const perSecond = this.#arrivals.highestWithin(startupSeconds);
    // What waits must be done by the time that another engine would begin. One request per engine is an ordinary queue.
    const backlog = Math.max(0, waiting + held - ready) * work;
    const load = perSecond * work + backlog / Math.max(startupSeconds, ttftSeconds);
    const waitSeconds = Math.max(0, ttftSeconds - work);
    return serversFor(load, work, { waitSeconds, share }, this.#options.bounds.max);
  }
}
