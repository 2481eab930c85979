// Predictive, the default policy: picks the engine with the shortest predicted time to first token.
import type { Random } from '../../../base/index.ts';
import type { ExpectedPrompt, KvIndex } from '../../../kv/index.ts';
import type { PromptChain } from '../../assumed-prefixes.ts';
import type { Endpoint, Outcome, Pick, Policy, RoutingRequest } from '../../contract.ts';
import { type Attempt, EngineForecast, prefillWork } from './engine-forecast.ts';
import { ForecastRow, ForecastTable } from './forecast-row.ts';
import { HeldTokens } from './held-tokens.ts';
import { PrefillSpeed, speedPrior } from './prefill-speed.ts';
import { PrefixDemand } from './prefix-demand.ts';
import type { PromptsInFlight } from './prompts-in-flight.ts';
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
}

/** Scores this close to the lowest, as a share of it and in seconds, count as equal to it. */
const tieShare = 0.02;
const tieSeconds = 0.005;
/** Expected output tokens of a request until responses report them. */
const outputTokensPrior = 256;
/** Weight of one response in the mean of output tokens. */
const outputTokensWeight = 1 / 64;
/** With so many expected output tokens in flight at an engine, a second of delay in decode counts half. */
const busyOutputTokens = 20_000;
/**
 * The fleet is short of memory if no engine has room for so many prompts like this one, and wholly so with room
 * for two less. Then requests in flight push each other's prefixes out: see the README, "Overload".
 */
const roomPromptsMax = 3;
/**
 * Cost of a second of prefill of an evicted prefix, in seconds of this request's own wait. It is computed again in steps
 * that hold up all responses there, which then occupy memory for longer, and so evict more. Results are flat from 16 to 60.
 */
const evictionWeight = 16;
/**
 * This many requests for a prefix within seconds may be chance; for each one above, another is expected to
 * follow. Conversations, and llm-d's groups of five prompts, stay below.
 */
const demandByChance = 3;
/** An engine with its fair share gets none of five picks per engine with a chance of 0.7 %. */
const starvedPicksPerEngine = 5;
/** In a burst on one prefix, the engines that have it get all requests for a while. */
const starvedSecondsMin = 5;

/** Picks the shortest predicted time to first token, including the cost to other requests. */
export class PredictivePolicy implements Policy {
  readonly name = 'predictive';
  readonly readsKvEvents: boolean;
  readonly #random: Random;
  readonly #crowdingWeight: number;
  readonly #decodeWeight: number;
  readonly #placementWeight: number;
  readonly #held: HeldTokens;
  /** One entry per engine; entries leave with it. */
  readonly #forecasts = new Map<Endpoint, EngineForecast>();
  /** Forecasts of the last candidates, and the offsets of their rows. */
  #aligned:
    | {
        readonly endpoints: readonly Endpoint[];
        readonly forecasts: readonly EngineForecast[];
        readonly rows: Int32Array;
      }
    | undefined;
  /** The state of all engines that picks read. */
  readonly #table = new ForecastTable();
  /** All engines as one: the prior for an engine without its own observations. */
  readonly #fleetSpeed = new PrefillSpeed();
  readonly #share = new TrafficShare();
  readonly #demand = new PrefixDemand();
  #outputTokens = outputTokensPrior;
  #picks = 0;
  // One number per candidate of the current pick; reused to avoid garbage.
  #waitSeconds = new Float64Array(8);
  #assignedSeconds = new Float64Array(8);
  #cachedTokens = new Float64Array(8);
  #ttftSeconds = new Float64Array(8);

  constructor(random: Random, options: PredictiveOptions = {}) {
    this.#random = random;
    this.#crowdingWeight = options.crowdingWeight ?? 2;
    this.#placementWeight = options.placementWeight ?? 1;
    this.#decodeWeight = options.decodeWeight ?? 30;
    this.#held = new HeldTokens(options.kvIndex);
    this.readsKvEvents = options.kvIndex !== undefined;
  }

  /** Changes when engines start and stop publishing events. */
  get needsTokens(): boolean {
    return this.#held.needsTokens;
  }

  pick(request: RoutingRequest, endpoints: readonly Endpoint[], now: number): PredictivePick {
    const chain = this.#held.chainOf(request);
    const count = endpoints.length;
    this.#makeRoom(count);
    this.#held.forgetExpected(now);
    const hadTokens = this.#held.count(request, chain, endpoints, this.#cachedTokens);
    const { forecasts: candidates, rows } = this.#forecastsOf(endpoints);
    const fleet = this.#survey(candidates, rows, now);
    const scores = this.#scoresOf({ request, chain, endpoints, candidates, rows, fleet, now });
    let least = Number.POSITIVE_INFINITY;
    for (let i = 0; i < count; i++) if ((scores[i] as number) < least) least = scores[i] as number;
    const best = this.#leastAssigned(scores, least * (1 + tieShare) + tieSeconds);
    return new PredictivePick({
      endpoint: endpoints[best] as Endpoint,
      forecast: candidates[best] as EngineForecast,
      chain,
      scores,
      promptTokens: request.promptTokens,
      cachedTokens: this.#cachedTokens[best] as number,
      ttftSeconds: this.#ttftSeconds[best] as number,
      waitSeconds: this.#waitSeconds[best] as number,
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
      // Nothing was predicted here.
      ...{ ttftSeconds: Number.NaN, waitSeconds: Number.NaN, hadTokens: true, isFromPeer: true },
    });
  }

  onSent(request: RoutingRequest, pick: PredictivePick, nowSeconds: number): void {
    pick.sentSeconds = nowSeconds;
    pick.forecast.row.picked(++this.#picks, nowSeconds);
    // Requests of peer routers were not picked here, so their engine may not have been aged.
    pick.forecast.row.age(nowSeconds, this.#fleetSpeed.line);
    pick.forecast.sent(pick, nowSeconds, request.stream, this.#share.allPerOwn);
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
    const learned = pick.forecast.firstByte(pick, seconds, nowSeconds, this.#fleetSpeed.line);
    if (learned) this.#fleetSpeed.observe(learned.work, learned.seconds, nowSeconds, speedPrior);
  }

  onFinish(
    _request: RoutingRequest,
    pick: PredictivePick,
    outcome: Outcome,
    nowSeconds: number,
  ): void {
    const { chain } = pick;
    pick.forecast.finished(pick, outcome.status === 'completed', nowSeconds);
    if (pick.expected !== undefined) {
      this.#held.expectedEnded(pick.expected, outcome.status === 'completed', nowSeconds);
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
    this.#aligned = undefined;
  }

  /** Updates all candidates to now, and records the inputs of each score. */
  #survey(candidates: readonly EngineForecast[], rows: Int32Array, now: number): FleetSurvey {
    let leastQueued = Number.POSITIVE_INFINITY;
    let mostAssigned = 1e-9;
    let mostCached = 0;
    let mostRoom = 0;
    const { line } = this.#fleetSpeed;
    const forecast = new ForecastRow(this.#table, 0);
    for (let i = 0; i < candidates.length; i++) {
      forecast.at = rows[i] as number;
      forecast.age(now, line);
      if (now >= forecast.retryAtSeconds && this.#isStarved(forecast, candidates.length, now)) {
        (candidates[i] as EngineForecast).tryAgain();
      }
      this.#waitSeconds[i] =
        forecast.waitSeconds(now) ?? (candidates[i] as EngineForecast).waitSeconds(now);
      if (forecast.queuedRequests < leastQueued) leastQueued = forecast.queuedRequests;
      const assigned = forecast.assignedSeconds(now);
      this.#assignedSeconds[i] = assigned;
      if (assigned > mostAssigned) mostAssigned = assigned;
      const cached = this.#cachedTokens[i] as number;
      if (cached > mostCached) mostCached = cached;
      const { roomTokens } = forecast;
      // An engine that does not report may have room.
      if (roomTokens === Number.NEGATIVE_INFINITY) mostRoom = Number.POSITIVE_INFINITY;
      else if (roomTokens > mostRoom) mostRoom = roomTokens;
    }
    return { leastQueued, mostAssigned, mostCached, mostRoom };
  }

  /** Whether an idle engine got none of so many picks that chance is no explanation. */
  #isStarved(forecast: ForecastRow, engines: number, now: number): boolean {
    return (
      forecast.inflightRequests === 0 &&
      now - forecast.lastPickSeconds >= starvedSecondsMin &&
      this.#picks - forecast.lastPick >= starvedPicksPerEngine * engines
    );
  }

  #scoresOf({ request, chain, endpoints, candidates, rows, fleet, now }: ScoreInputs): number[] {
    const { promptTokens } = request;
    const { leastQueued, mostAssigned, mostCached, mostRoom } = fleet;
    const copyUsers = this.#expectedUsers(chain, mostCached, now);
    const outputTokens = this.#outputTokens;
    const decodeWeight = this.#decodeWeight / outputTokens;
    const busyRequests = busyOutputTokens / outputTokens;
    const crowding = this.#crowdingWeight + leastQueued;
    const wholeWork = prefillWork(promptTokens, 0);
    const restWork = prefillWork(promptTokens - mostCached, mostCached);
    const shortage = clamped((roomPromptsMax - mostRoom / (promptTokens - mostCached)) / 2);
    const scores = new Array<number>(endpoints.length);
    const forecast = new ForecastRow(this.#table, 0);
    for (let i = 0; i < scores.length; i++) {
      forecast.at = rows[i] as number;
      const cachedTokens = this.#cachedTokens[i] as number;
      const uncachedTokens = promptTokens - cachedTokens;
      const prefill = forecast.secondsFor(prefillWork(uncachedTokens, cachedTokens));
      let wait = this.#waitSeconds[i] as number;
      if (!forecast.hasRoom(uncachedTokens)) {
        const { reported } = endpoints[i] as Endpoint;
        // Prefill continues while prompts ahead wait for memory, so the longer of both waits counts.
        wait = Math.max(
          wait,
          (candidates[i] as EngineForecast).memorySeconds(reported, uncachedTokens, now),
        );
      }
      let ttft = wait + prefill + forecast.interferenceSeconds(uncachedTokens);
      // An engine on trial gets one request at a time.
      if (forecast.doubt > 0 && forecast.queuedRequests > 0) ttft += forecast.doubt * prefill;
      let forOthers = 0;
      if (copyUsers > 0) {
        // Computing a prefix that another engine has cached also serves later requests.
        forOthers = (prefill - forecast.secondsFor(restWork)) * (copyUsers / (1 + copyUsers));
      }
      let evicted = 0;
      if (shortage > 0) {
        const { cachedShare } = candidates[i] as EngineForecast;
        const lost = Math.max(cachedShare, forecast.evictingShare(uncachedTokens));
        evicted = shortage * lost * prefill * forecast.inflightRequests;
      }
      const charged = prefill - forOthers;
      const decodeDelay = forecast.decodeDelaySeconds(charged, promptTokens, outputTokens);
      const busyness = 1 + forecast.inflightRequests / busyRequests;
      const whole = forecast.secondsFor(wholeWork);
      const placement = (whole * (this.#assignedSeconds[i] as number)) / mostAssigned;
      this.#ttftSeconds[i] = ttft;
      scores[i] =
        ttft -
        forOthers +
        crowding * charged +
        evictionWeight * evicted +
        Math.min(1, decodeWeight / busyness) * decodeDelay +
        this.#placementWeight * placement;
    }
    return scores;
  }

  /** Number of requests that another copy of the first tokens of a prompt would serve, predicted from recent ones. */
  #expectedUsers(chain: PromptChain, tokens: number, nowSeconds: number): number {
    if (tokens === 0) return 0;
    const requests = this.#demand.requests(chain, tokens, nowSeconds) * this.#share.allPerOwn;
    return Math.max(0, requests - demandByChance);
  }

  /** Picks the tied candidate with the least recent prefill; further ties are broken at random. */
  #leastAssigned(scores: readonly number[], reach: number): number {
    let best = -1;
    let least = 0;
    let equals = 1;
    for (let i = 0; i < scores.length; i++) {
      if ((scores[i] as number) > reach) continue;
      const assigned = this.#assignedSeconds[i] as number;
      if (best === -1 || assigned < least) {
        best = i;
        least = assigned;
        equals = 1;
      } else if (assigned === least) {
        // Reservoir sampling: each of k equals ends up chosen with chance 1/k.
        equals += 1;
        if (this.#random.next() * equals < 1) best = i;
      }
    }
    return best;
  }

  #makeRoom(count: number): void {
    if (this.#waitSeconds.length >= count) return;
    this.#waitSeconds = new Float64Array(2 * count);
    this.#assignedSeconds = new Float64Array(2 * count);
    this.#cachedTokens = new Float64Array(2 * count);
    this.#ttftSeconds = new Float64Array(2 * count);
  }

  /** Forecasts in the order of the endpoints, whose list stays the same until an engine changes. */
  #forecastsOf(endpoints: readonly Endpoint[]) {
    if (this.#aligned?.endpoints !== endpoints) {
      const forecasts = endpoints.map((endpoint) => this.#forecastOf(endpoint));
      const rows = Int32Array.from(forecasts, ({ row }) => row.at);
      this.#aligned = { endpoints, forecasts, rows };
    }
    return this.#aligned;
  }

  #forecastOf(endpoint: Endpoint): EngineForecast {
    let forecast = this.#forecasts.get(endpoint);
    if (forecast === undefined) {
      forecast = new EngineForecast(this.#fleetSpeed.line, this.#table);
      this.#forecasts.set(endpoint, forecast);
    }
    return forecast;
  }
}

/** Values over all candidates that each score depends on. */
interface FleetSurvey {
  readonly leastQueued: number;
  readonly mostAssigned: number;
  readonly mostCached: number;
  /** Tokens; infinite if an engine does not report its KV cache. */
  readonly mostRoom: number;
}

/** Limits a share to 0 to 1. */
function clamped(share: number): number {
  return Math.min(1, Math.max(0, share));
}

interface ScoreInputs {
  readonly request: RoutingRequest;
  readonly chain: PromptChain;
  readonly endpoints: readonly Endpoint[];
  readonly candidates: readonly EngineForecast[];
  readonly rows: Int32Array;
  readonly fleet: FleetSurvey;
  readonly now: number;
}

/** A pick with the data that the hooks need. The reason is formatted only on request. */
class PredictivePick implements Pick, Attempt {
  readonly endpoint: Endpoint;
  /** Kept here because an attempt may outlive its engine's entry. */
  readonly forecast: EngineForecast;
  readonly scores: readonly number[] | undefined;
  readonly promptTokens: number;
  readonly cachedTokens: number;
  readonly work: number;
  /** Whether events decided what is cached. */
  readonly hadTokens: boolean;
  readonly isFromPeer: boolean;
  readonly #ttftSeconds: number;
  readonly #waitSeconds: number;
  chain: PromptChain | undefined;
  inFlight: PromptsInFlight | undefined = undefined;
  expected: ExpectedPrompt | undefined = undefined;
  queued: Attempt['queued'] = undefined;
  /** Set when it is sent. */
  sentSeconds = Number.NaN;

  constructor(options: {
    readonly endpoint: Endpoint;
    readonly forecast: EngineForecast;
    readonly chain: PromptChain;
    readonly scores: readonly number[] | undefined;
    readonly promptTokens: number;
    readonly cachedTokens: number;
    readonly ttftSeconds: number;
    readonly waitSeconds: number;
    readonly hadTokens: boolean;
    readonly isFromPeer: boolean;
  }) {
    this.endpoint = options.endpoint;
    this.forecast = options.forecast;
    this.chain = options.chain;
    this.scores = options.scores;
    this.promptTokens = options.promptTokens;
    this.cachedTokens = options.cachedTokens;
    this.hadTokens = options.hadTokens;
    this.isFromPeer = options.isFromPeer;
    this.work = prefillWork(options.promptTokens - options.cachedTokens, options.cachedTokens);
    this.#ttftSeconds = options.ttftSeconds;
    this.#waitSeconds = options.waitSeconds;
  }

  get predictedSeconds(): number | undefined {
    return this.forecast.hasSeen(this.work) ? this.#ttftSeconds : undefined;
  }

  get reason(): string {
    if (this.isFromPeer) return 'another router picked it';
    return (
      `first token predicted in ${this.#ttftSeconds.toFixed(3)} s: ` +
      `${this.cachedTokens} of ${this.promptTokens} tokens cached, ` +
      `${this.#waitSeconds.toFixed(3)} s of prefill ahead`
    );
  }
}
