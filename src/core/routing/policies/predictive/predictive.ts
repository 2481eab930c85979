// Predictive, the default policy: picks the engine with the shortest predicted time to first token.
import type { Random } from '../../../base/index.ts';
import type { KvIndex } from '../../../kv/index.ts';
import type { PromptChain } from '../../assumed-prefixes.ts';
import { addLoads, noTiers, type TierIndex } from '../../cache-tiers.ts';
import type { Endpoint, Outcome, Policy, RoutingRequest } from '../../contract.ts';
import { EngineForecast } from './engine-forecast.ts';
import { FleetSpeeds } from './fleet-speeds.ts';
import { ForecastTable } from './forecast-row.ts';
import { HeldTokens } from './held-tokens.ts';
import { type Candidates, PickScores } from './pick-scores.ts';
import { PredictivePick } from './predictive-pick.ts';
import { speedPrior } from './prefill-speed.ts';
import { PrefixDemand } from './prefix-demand.ts';
import { TrafficShare } from './traffic-share.ts';

/** The defaults were chosen on the Mooncake trace at six loads; results are flat around them. */
export interface PredictiveOptions {
  /**
   * Cost to other requests of one second of prefill, in seconds of this request's own wait. It applies even
   * when no request waits, because prefill evicts cached blocks and delays later requests. When every engine
   * has a queue, the length of the shortest is added, because each second of prefill delays that many.
   * @default 2
   */
  readonly crowdingWeight?: number | undefined;
  /**
   * Cost of one second of decode delay, for the requests in flight there and for this one, in seconds of this
   * request's own wait. It is divided by the output tokens of a response, because a second spread over many
   * tokens matters less, and is at most 1. Where many output tokens are in flight, steps are long and responses
   * take longer anyway, so a second counts less (`busyOutputTokens`).
   * @default 30
   */
  readonly decodeWeight?: number | undefined;
  /**
   * How strongly prefill, and with it cached prefixes, is spread over engines in the long run. The engine
   * with the most recent prefill costs this many times the prefill of the whole prompt more than an engine
   * with none.
   * @default 1
   */
  readonly placementWeight?: number | undefined;
  /**
   * Index of the KV events of engines that publish them, fed by the caller. Without it, and for other
   * engines, prompts that this router sent to an engine are assumed to be cached there.
   */
  readonly kvIndex?: KvIndex | undefined;
  /** What engines would load from tiers below the GPU. @default what KV events say */
  readonly tiers?: TierIndex | undefined;
}

/** Expected output tokens of a request until responses report them. */
const outputTokensPrior = 256;
/** Weight of one response in the mean of output tokens. */
const outputTokensWeight = 1 / 64;
/**
 * This many requests for a prefix within seconds may be chance; for each one above, another is expected to
 * follow. Conversations, and llm-d's groups of five prompts, stay below.
 */
const demandByChance = 3;

/** Picks the shortest predicted time to first token, including the cost to other requests. */
export class PredictivePolicy implements Policy {
  readonly name = 'predictive';
  readonly readsKvEvents: boolean;
  readonly #held: HeldTokens;
  readonly #tiers: TierIndex;
  /** One entry per engine; entries leave with it. */
  readonly #forecasts = new Map<Endpoint, EngineForecast>();
  /** The state of all engines that picks read. */
  readonly #table = new ForecastTable();
  readonly #scoring: PickScores;
  /** Those of the last pick. */
  #candidates: Candidates | undefined;
  /** All engines of a model as one: the prior for an engine without its own observations. */
  readonly #fleetSpeeds = new FleetSpeeds();
  readonly #share = new TrafficShare();
  readonly #demand = new PrefixDemand();
  #outputTokens = outputTokensPrior;
  #picks = 0;

  constructor(random: Random, options: PredictiveOptions = {}) {
    const { crowdingWeight = 2, decodeWeight = 30, placementWeight = 1 } = options;
    const weights = { crowding: crowdingWeight, decode: decodeWeight, placement: placementWeight };
    this.#scoring = new PickScores(random, weights, this.#table);
    this.#tiers = options.tiers ?? noTiers;
    this.#held = new HeldTokens(options.kvIndex, this.#tiers);
    this.readsKvEvents = options.kvIndex !== undefined;
  }

  /** Changes when engines start and stop to report what they have. */
  get needsTokens(): boolean {
    return this.#held.needsTokens || this.#tiers.isLive;
  }

  pick(request: RoutingRequest, endpoints: readonly Endpoint[], now: number): PredictivePick {
    const chain = this.#held.chainOf(request);
    const candidates = this.#candidatesOf(endpoints);
    const scoring = this.#scoring;
    const cachedTokens = scoring.begin(endpoints.length);
    this.#held.forgetExpected(now);
    const { loadSeconds } = scoring;
    const hadTokens = this.#held.count(request, chain, endpoints, cachedTokens, loadSeconds);
    addLoads(this.#tiers, request, endpoints, cachedTokens, loadSeconds);
    const mostCached = scoring.survey(candidates, this.#picks, now);
    const { promptTokens } = request;
    const copyUsers = this.#expectedUsers(chain, mostCached, now);
    const prompt = { promptTokens, outputTokens: this.#outputTokens, copyUsers };
    const scores = scoring.scores(candidates, prompt, now);
    const best = scoring.best(scores);
    return new PredictivePick({
      endpoint: endpoints[best] as Endpoint,
      forecast: candidates.forecasts[best] as EngineForecast,
      chain,
      scores,
      promptTokens,
      cachedTokens: scoring.cachedTokensOf(best),
      loadSeconds: loadSeconds[best] as number,
      ttftSeconds: scoring.ttftSecondsOf(best),
      waitSeconds: scoring.waitSecondsOf(best),
      hadTokens,
      isFromPeer: false,
    });
  }

  adopt(request: RoutingRequest, endpoint: Endpoint, cachedTokens: number): PredictivePick {
    return new PredictivePick({
      endpoint,
      forecast: this.#forecastOf(endpoint),
      chain: this.#held.chainOf(request),
      scores: undefined,
      promptTokens: request.promptTokens,
      cachedTokens,
      loadSeconds: 0,
      // Nothing was predicted here.
      ...{ ttftSeconds: Number.NaN, waitSeconds: Number.NaN, hadTokens: true, isFromPeer: true },
    });
  }

  onSent(request: RoutingRequest, pick: PredictivePick, nowSeconds: number): void {
    pick.sentSeconds = nowSeconds;
    const { row } = pick.forecast;
    if (row.wasPassedOver(this.#picks, this.#forecasts.size, nowSeconds)) {
      row.raiseAssigned(this.#meanAssigned(pick.endpoint, nowSeconds), nowSeconds);
    }
    row.picked(++this.#picks, nowSeconds);
    // Requests of peer routers were not picked here, so their engine may not have been aged.
    row.age(nowSeconds, this.#fleetSpeeds.of(pick.endpoint).line);
    const { allPerOwn } = this.#share;
    pick.assignedSeconds = pick.forecast.sent(pick, nowSeconds, request.stream, allPerOwn);
    if (pick.chain === undefined) return;
    pick.inFlight = this.#held.sent(pick.endpoint, pick.chain);
    if (pick.hadTokens && !pick.isFromPeer) {
      pick.expected = this.#held.expect(request, pick.endpoint);
    }
    this.#demand.sent(pick.chain, nowSeconds);
  }

  onFirstByte(
    request: RoutingRequest,
    pick: PredictivePick,
    seconds: number,
    nowSeconds: number,
  ): void {
    if (pick.expected !== undefined) this.#held.expectedEnded(pick.expected, true, nowSeconds);
    this.onOutrun(request, pick, seconds, nowSeconds);
  }

  /** Without it, an engine whose slow responses always come second would still count as fast. */
  onOutrun(
    request: RoutingRequest,
    pick: PredictivePick,
    seconds: number,
    nowSeconds: number,
  ): void {
    if (!request.stream) return;
    const fleet = this.#fleetSpeeds.of(pick.endpoint);
    const learned = pick.forecast.firstByte(pick, seconds, nowSeconds, fleet.line);
    if (learned) fleet.observe(learned.work, learned.seconds, nowSeconds, speedPrior);
  }

  onFinish(
    _request: RoutingRequest,
    pick: PredictivePick,
    outcome: Outcome,
    nowSeconds: number,
  ): void {
    const { chain } = pick;
    const isDone = outcome.status === 'completed' && outcome.isRefused !== true;
    pick.forecast.finished(pick, isDone, nowSeconds);
    // Or an engine that has refused one long prompt would get no others until all have had as much prefill.
    if (outcome.isRefused) pick.forecast.row.unassign(pick.assignedSeconds, nowSeconds);
    if (pick.expected !== undefined) {
      this.#held.expectedEnded(pick.expected, isDone, nowSeconds);
      pick.expected = undefined;
    }
    if (chain) {
      pick.inFlight?.remove(chain.hashes);
      this.#held.finished(pick.endpoint, chain, pick.cachedTokens, outcome, pick.hadTokens);
    }
    if (outcome.outputTokens !== undefined) {
      this.#outputTokens += (outcome.outputTokens - this.#outputTokens) * outputTokensWeight;
    }
    // The pick may be kept for the debug route; its hashes are not used there.
    pick.chain = undefined;
  }

  onReport(endpoint: Endpoint, nowSeconds: number): void {
    const { reported } = endpoint;
    if (reported === undefined) return;
    const forecast = this.#forecastOf(endpoint);
    this.#share.count(reported.running + reported.waiting, forecast.inflight, nowSeconds);
    forecast.reported(reported, nowSeconds);
  }

  waitSeconds(endpoint: Endpoint, nowSeconds: number): number | undefined {
    const forecast = this.#forecasts.get(endpoint);
    if (forecast === undefined) return undefined;
    return forecast.row.waitSeconds(nowSeconds) ?? forecast.waitSeconds(nowSeconds);
  }

  onEndpointReset(endpoint: Endpoint): void {
    this.#held.reset(endpoint);
    this.#forecasts.get(endpoint)?.row.leave();
    this.#forecasts.delete(endpoint);
    this.#candidates = undefined;
  }

  /** Number of requests that another copy of the first tokens of a prompt would serve, predicted from recent ones. */
  #expectedUsers(chain: PromptChain, tokens: number, nowSeconds: number): number {
    if (tokens === 0) return 0;
    const requests = this.#demand.requests(chain, tokens, nowSeconds) * this.#share.allPerOwn;
    return Math.max(0, requests - demandByChance);
  }

  /**
   * Mean of the recent prefill of the engines that serve the same models and get requests. An engine that is new or back
   * counts as if it had had that, too: it is not to make up for its absence, or it would get every request for minutes.
   */
  #meanAssigned({ models }: Endpoint, nowSeconds: number): number {
    let seconds = 0;
    let engines = 0;
    for (const [endpoint, { row }] of this.#forecasts) {
      if (row.wasPassedOver(this.#picks, this.#forecasts.size, nowSeconds)) continue;
      if (!endpoint.models.some((model) => models.includes(model))) continue;
      seconds += row.assignedSeconds(nowSeconds);
      engines += 1;
    }
    return engines === 0 ? 0 : seconds / engines;
  }

  /** In the order of the endpoints, whose list stays the same until an engine changes. */
  #candidatesOf(endpoints: readonly Endpoint[]): Candidates {
    if (this.#candidates?.endpoints !== endpoints) {
      const forecasts = endpoints.map((endpoint) => this.#forecastOf(endpoint));
      const rows = Int32Array.from(forecasts, ({ row }) => row.at);
      // They all serve the model of the request.
      const fleet = this.#fleetSpeeds.of(endpoints[0] as Endpoint);
      this.#candidates = { endpoints, forecasts, rows, fleet };
    }
    return this.#candidates;
  }

  #forecastOf(endpoint: Endpoint): EngineForecast {
    let forecast = this.#forecasts.get(endpoint);
    if (forecast === undefined) {
      forecast = new EngineForecast(this.#fleetSpeeds.of(endpoint).line, this.#table);
      this.#forecasts.set(endpoint, forecast);
    }
    return forecast;
  }
}
