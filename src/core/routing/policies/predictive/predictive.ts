// Predictive: the engine whose predicted time to first token is least. The default.
import type { Random } from '../../../base/index.ts';
import type { Endpoint, Outcome, Pick, Policy, RoutingRequest } from '../../contract.ts';
import { PrefixBeliefs, type PromptChain } from '../../prefix-beliefs.ts';
import { EngineForecast, prefillWork } from './engine-forecast.ts';
import { PrefillSpeed, speedPrior } from './prefill-speed.ts';

export interface PredictiveOptions {
  /**
   * What a second of prefill costs those who come after, in seconds of our own wait.
   */
  readonly crowding?: number | undefined;
  readonly decodeWeight?: number | undefined;
  /**
   * Predictions this close are equal, and the engine that got least prefill lately wins.
   */
  readonly tieSeconds?: number | undefined;
  readonly tieShare?: number | undefined;
}

/** A pick with what its hooks need. The reason is put into words only when somebody asks. */
class PredictivePick implements Pick {
  readonly endpoint: Endpoint;
  readonly cachedTokens: number;
  readonly scores: readonly number[];
  readonly forecast: EngineForecast;
  readonly work: number;
  readonly uncachedTokens: number;
  readonly #waitSeconds: number;
  readonly #promptTokens: number;
  readonly #seconds: number;
  chain: PromptChain | undefined;
  sentSeconds = 0;

  constructor(
    endpoint: Endpoint,
    request: RoutingRequest,
    forecast: EngineForecast,
    scores: readonly number[],
    chain: PromptChain,
    numbers: { readonly cached: number; readonly wait: number; readonly seconds: number },
  ) {
    this.endpoint = endpoint;
    this.cachedTokens = numbers.cached;
    this.scores = scores;
    this.forecast = forecast;
    this.uncachedTokens = Math.max(0, request.promptTokens - numbers.cached);
    this.work = prefillWork(this.uncachedTokens, numbers.cached);
    this.chain = chain;
    this.#waitSeconds = numbers.wait;
    this.#promptTokens = request.promptTokens;
    this.#seconds = numbers.seconds;
  }

  get reason(): string {
    return (
      `first token predicted in ${this.#seconds.toFixed(3)} s: ` +
      `${this.cachedTokens} of ${this.#promptTokens} tokens cached, ` +
      `${this.#waitSeconds.toFixed(3)} s of prefill ahead`
    );
  }
}

export class PredictivePolicy implements Policy {
  readonly name = 'predictive';
  readonly needsTokens = false;
  readonly #random: Random;
  readonly #beliefs = new PrefixBeliefs();
  readonly #forecasts = new Map<Endpoint, EngineForecast>();
  readonly #fleetSpeed = new PrefillSpeed();
  readonly #crowding: number;
  readonly #decodeWeight: number;
  readonly #tieSeconds: number;
  readonly #tieShare: number;
  /** Per candidate of the pick in progress. */
  #cached = new Float64Array(16);

  constructor(random: Random, options: PredictiveOptions = {}) {
    this.#random = random;
    this.#crowding = options.crowding ?? 0;
    this.#decodeWeight = options.decodeWeight ?? 0;
    this.#tieSeconds = options.tieSeconds ?? 0.005;
    this.#tieShare = options.tieShare ?? 0.02;
  }

  pick(request: RoutingRequest, endpoints: readonly Endpoint[], now: number): PredictivePick {
    const chain = this.#beliefs.chainOf(request);
    const count = endpoints.length;
    if (this.#cached.length < count) this.#cached = new Float64Array(2 * count);
    const cached = this.#cached;
    const scores = new Array<number>(count);
    let least = Number.POSITIVE_INFINITY;
    for (let i = 0; i < count; i++) {
      const endpoint = endpoints[i] as Endpoint;
      const forecast = this.#forecastOf(endpoint, now);
      const cachedTokens = this.#beliefs.cachedTokens(endpoint, chain);
      const uncached = request.promptTokens - cachedTokens;
      const own = forecast.speed.secondsFor(prefillWork(uncached, cachedTokens));
      const seconds =
        forecast.waitSeconds(now) +
        own * (1 + this.#crowding) +
        forecast.decodeSeconds(endpoint, uncached) * (1 + this.#decodeWeight) +
        forecast.memorySeconds(endpoint, uncached, now);
      cached[i] = cachedTokens;
      scores[i] = seconds;
      if (seconds < least) least = seconds;
    }
    const best = this.#breakTies(endpoints, scores, least, now);
    const endpoint = endpoints[best] as Endpoint;
    const forecast = this.#forecastOf(endpoint, now);
    return new PredictivePick(endpoint, request, forecast, scores, chain, {
      cached: cached[best] as number,
      wait: forecast.waitSeconds(now),
      seconds: scores[best] as number,
    });
  }

  onSent(request: RoutingRequest, pick: PredictivePick, nowSeconds: number): void {
    pick.sentSeconds = nowSeconds;
    pick.forecast.sent(pick, pick.work, pick.uncachedTokens, nowSeconds, request.stream);
    if (pick.chain) this.#beliefs.sent(pick.endpoint, pick.chain);
  }

  onFirstByte(
    request: RoutingRequest,
    pick: PredictivePick,
    seconds: number,
    nowSeconds: number,
  ): void {
    if (!request.stream) return;
    const prior = this.#fleetSpeed.line;
    const learned = pick.forecast.firstByte(pick, pick.work, seconds, nowSeconds, prior);
    if (learned) this.#fleetSpeed.observe(learned.work, learned.seconds, nowSeconds, speedPrior);
  }

  onFinish(
    _request: RoutingRequest,
    pick: PredictivePick,
    outcome: Outcome,
    nowSeconds: number,
  ): void {
    const seconds = nowSeconds - pick.sentSeconds;
    pick.forecast.finished(pick, pick.uncachedTokens, seconds, nowSeconds, outcome);
    if (pick.chain) {
      this.#beliefs.finished(pick.endpoint, pick.chain, pick.cachedTokens, outcome);
    }
    // The pick may be kept for the debug route; its hashes are of no use there.
    pick.chain = undefined;
  }

  onEndpointReset(endpoint: Endpoint): void {
    this.#beliefs.reset(endpoint);
    this.#forecasts.delete(endpoint);
  }

  /** Of those within reach of the best, the one that got least prefill lately. */
  #breakTies(
    endpoints: readonly Endpoint[],
    scores: readonly number[],
    least: number,
    nowSeconds: number,
  ): number {
    const reach = least * (1 + this.#tieShare) + this.#tieSeconds;
    let best = -1;
    let bestWork = 0;
    let equals = 1;
    for (let i = 0; i < scores.length; i++) {
      if ((scores[i] as number) > reach) continue;
      const work = this.#forecastOf(endpoints[i] as Endpoint, nowSeconds).assignedWork(nowSeconds);
      if (best === -1 || work < bestWork) {
        best = i;
        bestWork = work;
        equals = 1;
      } else if (work === bestWork) {
        // Reservoir sampling: each of k equals ends up chosen with chance 1/k.
        equals += 1;
        if (this.#random.next() * equals < 1) best = i;
      }
    }
    return best;
  }

  #forecastOf(endpoint: Endpoint, nowSeconds: number): EngineForecast {
    let forecast = this.#forecasts.get(endpoint);
    if (!forecast) {
      forecast = new EngineForecast();
      this.#forecasts.set(endpoint, forecast);
    }
    forecast.speed.age(nowSeconds, this.#fleetSpeed.line);
    return forecast;
  }
}
