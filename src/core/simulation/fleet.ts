// A fleet of engine models behind the real routing core, on a virtual clock: what a policy does to
// traffic, in seconds instead of GPU-hours.
import { ManualClock, type Random, randomInteger, seededRandom } from '../base/index.ts';
import {
  type EngineConfig,
  type EngineListener,
  EngineModel,
  type EngineRequest,
  type EngineStep,
  type KvConnector,
  type StepCostModel,
  type TierStats,
} from '../engine/index.ts';
import { KvIndex } from '../kv/index.ts';
import {
  createPolicy,
  NoEndpointError,
  type Policy,
  RoutingCore,
  type Ticket,
} from '../routing/index.ts';
import { type RequestSource, tracedRequests, type WorkloadRequest } from '../workload/index.ts';
import { Earliest } from './earliest.ts';
import {
  engineRequestOf,
  hashOf,
  routingRequestOf,
  storedEvent,
  wordsOf,
} from './fleet-request.ts';
import { type FleetSample, FleetSeries } from './fleet-series.ts';

/** One request of a trace; equal block ids mean equal text after an equal prefix. */
export type SimulatedRequest = WorkloadRequest;

export interface SimulatedEngine {
  readonly config: EngineConfig;
  readonly cost: StepCostModel;
  /** What lies below the engine's KV cache; engines may share what is behind theirs. */
  readonly createConnector?: ((engine: number) => KvConnector) | undefined;
}

/** What a router's policy may be built from. */
export interface RouterOptions {
  readonly random: Random;
  /** Fed with the events of all engines if the policy needs tokens. */
  readonly kvIndex: KvIndex;
}

/** An engine that stops in mid-work and comes back with an empty cache. */
export interface EngineFailure {
  readonly engine: number;
  readonly atSeconds: number;
  /** Until it serves again; Infinity for never. */
  readonly seconds: number;
}

export interface FleetSimulationOptions {
  /** In order of arrival, or a source that gives them as answers come. */
  readonly requests: readonly SimulatedRequest[] | RequestSource;
  readonly engines: readonly SimulatedEngine[];
  /** By name; or one, for a single router; or made for each router. */
  readonly policy: Policy | string | ((options: RouterOptions) => Policy);
  /**
   * Routers before the fleet, each with its own books and beliefs, which know only what went
   * through it; a request comes to any of them. KV events reach all. @default 1
   */
  readonly routers?: number | undefined;
  /** Tokens per id in `blockIds`; a multiple of the engines' block size. */
  readonly traceBlockTokens: number;
  /** Arrivals of a trace come this many times as fast. @default 1 */
  readonly speed?: number | undefined;
  /** How often the router hears of the engines' own gauges; 0 = never. @default 5 */
  readonly reportSeconds?: number | undefined;
  /** Time between router and engine, each way. @default 0.0005 */
  readonly networkSeconds?: number | undefined;
  /** Whether answers tell `cached_tokens` in their usage. @default true */
  readonly usage?: boolean | undefined;
  /** For a policy given by name. @default 1 */
  readonly seed?: number | undefined;
  /** For the policy prefixaware, in bytes of pseudo text, of which a token has four. */
  readonly prefixMinMatchLength?: number | undefined;
  /** The router has no key by which to tell sessions. @default false */
  readonly hidesSessions?: boolean | undefined;
  /** Keep the time of each token, 8 bytes a token. @default false */
  readonly keepTokens?: boolean | undefined;
  /** Keep samples of the engines' gauges for a picture. @default false */
  readonly keepSeries?: boolean | undefined;
  readonly failures?: readonly EngineFailure[] | undefined;
  /** Hears every few hundred requests how many are finished. */
  readonly onProgress?: ((finished: number) => void) | undefined;
  /** Hears of each request as it is sent. */
  readonly onSent?: ((request: SimulatedRequest) => void) | undefined;
}

/** What one engine of the fleet did. */
export interface FleetEngineResult {
  readonly requests: number;
  /** Prompt tokens computed at first admission; recomputing after a preemption not counted. */
  readonly computedTokens: number;
  /** Found in the GPU's cache. */
  readonly cachedTokens: number;
  /** Found in a tier below it. */
  readonly externalTokens: number;
  /** Of its connector; undefined without one. */
  readonly tiers: TierStats | undefined;
  readonly outputTokens: number;
  readonly preemptions: number;
  /** Share of the time up to the last arrival in which a step ran; 1 if all arrive at 0 s. */
  readonly utilization: number;
}

/** What became of the requests; arrays are in arrival order. */
export interface FleetSimulationResult {
  readonly arrivalSeconds: Float64Array;
  readonly promptTokens: Float64Array;
  /** NaN where no token came. */
  readonly ttftSeconds: Float64Array;
  readonly e2eSeconds: Float64Array;
  /** Index of the engine that served the request; −1 if none could. */
  readonly engineOf: Int32Array;
  readonly cachedTokens: Float64Array;
  /** 1 for a request whose answer never ended. */
  readonly failed: Uint8Array;
  /** Of the failed, those whose prompt leaves no room in the engine's context. */
  readonly refused: number;
  /** Requests that were sent again after an engine failed them. */
  readonly retries: number;
  /** Σ cached prompt tokens / Σ prompt tokens. */
  readonly hitRate: number;
  /** Most computed prompt tokens of an engine / their mean over engines. */
  readonly spread: number;
  readonly preemptions: number;
  readonly engines: readonly FleetEngineResult[];
  /** By request, when each of its tokens came; empty unless `keepTokens`. */
  readonly tokenSeconds: readonly (readonly number[])[];
  /** Requests in the fleet without a first token, as each request arrived. */
  readonly waitingAtArrival: Float64Array;
  /** Empty unless `keepSeries`. */
  readonly series: readonly FleetSample[];
  /** Virtual time from first arrival to last token. */
  readonly seconds: number;
}

const progressEvery = 256;

/** Plays the requests through the fleet until the last one is finished. */
export function simulateFleet(options: FleetSimulationOptions): FleetSimulationResult {
  const fleet = new Fleet(options);
  fleet.run();
  return fleet.result();
}

interface Attempt {
  readonly index: number;
  readonly request: SimulatedRequest;
  readonly words: () => Uint32Array<ArrayBuffer>;
  readonly ticket: Ticket;
  readonly engine: number;
  /** What the request asks for, or what is left of the engine's context. */
  readonly outputTokens: number;
  hasToken: boolean;
  cachedTokens: number;
}

/** Inside an engine a request knows its attempt: each token asks for it. */
interface FleetEngineRequest extends EngineRequest {
  readonly attempt: Attempt;
}

const attemptOf = (request: EngineRequest) => (request as FleetEngineRequest).attempt;

/** One engine, and what it does now. */
interface Place {
  readonly index: number;
  readonly url: string;
  model: EngineModel;
  step: EngineStep | undefined;
  isUp: boolean;
  busySeconds: number;
  /** Of `busySeconds`, what lies after the arrival at `arrivalSeconds`, if that was the last. */
  after: { arrivalSeconds: number; seconds: number };
  computedTokens: number;
  /** Of the models that failed. */
  past: { requests: number; cached: number; external: number; output: number; preemptions: number };
}

class Fleet {
  readonly #options: FleetSimulationOptions;
  readonly #source: RequestSource;
  readonly #clock = new ManualClock();
  readonly #kvIndex = new KvIndex();
  readonly #cores: readonly RoutingCore[];
  /** Which router a request comes to. */
  readonly #routerRandom: Random;
  readonly #places: Place[];
  readonly #placeOf: ReadonlyMap<string, Place>;
  readonly #attempts = new Map<number, Attempt>();
  readonly #earliest: Earliest;
  /** Tiers wake their engines at times of their own, and may be shared. */
  readonly #hasTiers: boolean;
  readonly #failures: {
    readonly atSeconds: number;
    readonly engine: number;
    readonly up: boolean;
  }[];
  readonly #series: FleetSeries | undefined;
  readonly #networkSeconds: number;
  readonly #arrivals: number[] = [];
  readonly #prompts: number[] = [];
  readonly #ttft: number[] = [];
  readonly #e2e: number[] = [];
  readonly #engineOf: number[] = [];
  readonly #cached: number[] = [];
  readonly #failed: number[] = [];
  readonly #waitingAtArrival: number[] = [];
  readonly #tokens: number[][] = [];
  #waiting = 0;
  #finished = 0;
  #refused = 0;
  #retries = 0;
  /** When the last token came, or the last request failed. */
  #endSeconds = 0;

  constructor(options: FleetSimulationOptions) {
    const { requests, traceBlockTokens, speed = 1 } = options;
    this.#options = options;
    this.#source = isSource(requests)
      ? requests
      : tracedRequests(
          speed === 1
            ? requests
            : requests.map((r) => ({ ...r, arrivalSeconds: r.arrivalSeconds / speed })),
          traceBlockTokens,
        );
    this.#networkSeconds = options.networkSeconds ?? 0.0005;
    this.#series = options.keepSeries ? new FleetSeries() : undefined;
    const { routers = 1, seed = 1 } = options;
    if (routers > 1 && typeof options.policy === 'object') {
      throw new RangeError('One policy object cannot be in several routers; give its name');
    }
    this.#routerRandom = seededRandom(seed + 1_000_000);
    this.#cores = Array.from({ length: routers }, (_, router) => {
      const policy = this.#policyOf(seed + router);
      return new RoutingCore({ policy, clock: this.#clock, recentPicksMax: 1 });
    });
    this.#earliest = new Earliest(options.engines.length);
    this.#hasTiers = options.engines.some(({ createConnector }) => createConnector !== undefined);
    this.#places = options.engines.map((_, index) => this.#newPlace(index));
    this.#placeOf = new Map(this.#places.map((place) => [place.url, place]));
    this.#failures = (options.failures ?? [])
      .flatMap(({ engine, atSeconds, seconds }) => [
        { atSeconds, engine, up: false },
        { atSeconds: atSeconds + seconds, engine, up: true },
      ])
      .filter(({ atSeconds }) => Number.isFinite(atSeconds))
      .sort((a, b) => a.atSeconds - b.atSeconds);
  }

  run(): void {
    const { reportSeconds = 5 } = this.#options;
    let nextReport = reportSeconds > 0 ? 0 : Number.POSITIVE_INFINITY;
    for (;;) {
      const arrival = this.#source.nextSeconds;
      if (arrival === Number.POSITIVE_INFINITY && this.#attempts.size === 0) break;
      const earliest = this.#earliestPlace();
      const failure = this.#failures[0]?.atSeconds ?? Number.POSITIVE_INFINITY;
      const end = earliest ? dueSeconds(earliest) : Number.POSITIVE_INFINITY;
      const now = Math.min(end, arrival, nextReport, failure);
      if (Math.min(end, arrival, failure) === Number.POSITIVE_INFINITY) {
        throw new Error('The fleet stands still with requests in flight');
      }
      this.#series?.advance(now, this.#models());
      this.#clock.advanceTo(now);
      if (now === nextReport) {
        this.#report();
        nextReport += reportSeconds;
      } else if (now === failure) this.#fail();
      else if (now === arrival) this.#arrive();
      else if (earliest?.step) this.#endStep(earliest);
      else this.#startStep(earliest as Place);
    }
  }

  result(): FleetSimulationResult {
    const places = this.#places;
    const promptTokens = this.#prompts.reduce((sum, tokens) => sum + tokens, 0);
    const cachedTokens = this.#cached.reduce((sum, tokens) => sum + tokens, 0);
    const computed = places.map((place) => place.computedTokens);
    const meanComputed = computed.reduce((sum, tokens) => sum + tokens, 0) / computed.length;
    const lastArrival = this.#arrivals.at(-1) ?? 0;
    const engines = places.map(({ model, past, computedTokens }, i): FleetEngineResult => {
      const { stats } = model;
      return {
        requests: past.requests + stats.finished,
        computedTokens,
        cachedTokens: past.cached + stats.prefixCacheHits,
        externalTokens: past.external + stats.externalCacheHits,
        tiers: stats.tiers,
        outputTokens: past.output + stats.outputTokens,
        preemptions: past.preemptions + stats.preemptions,
        utilization: lastArrival > 0 ? this.#busyUntil(places[i] as Place, lastArrival) : 1,
      };
    });
    return {
      arrivalSeconds: Float64Array.from(this.#arrivals),
      promptTokens: Float64Array.from(this.#prompts),
      ttftSeconds: Float64Array.from(this.#ttft),
      e2eSeconds: Float64Array.from(this.#e2e),
      engineOf: Int32Array.from(this.#engineOf),
      cachedTokens: Float64Array.from(this.#cached),
      failed: Uint8Array.from(this.#failed),
      ...{ refused: this.#refused, retries: this.#retries },
      waitingAtArrival: Float64Array.from(this.#waitingAtArrival),
      tokenSeconds: this.#tokens,
      hitRate: cachedTokens / promptTokens,
      spread: Math.max(...computed) / meanComputed,
      engines,
      preemptions: engines.reduce((sum, { preemptions }) => sum + preemptions, 0),
      series: this.#series?.samples ?? [],
      seconds: this.#endSeconds,
    };
  }

  /** Share of the time up to the last arrival. */
  #busyUntil({ busySeconds, after }: Place, lastArrival: number): number {
    const later = after.arrivalSeconds === lastArrival ? after.seconds : 0;
    return (busySeconds - later) / lastArrival;
  }

  #models(): readonly EngineModel[] {
    return this.#places.map(({ model }) => model);
  }

  #policyOf(seed: number): Policy {
    const { policy, prefixMinMatchLength } = this.#options;
    if (typeof policy === 'object') return policy;
    const options = { random: seededRandom(seed), kvIndex: this.#kvIndex };
    if (typeof policy === 'function') return policy(options);
    return createPolicy(policy, { ...options, prefixMinMatchLength });
  }

  #newPlace(index: number): Place {
    const url = `http://engine-${index}`;
    for (const core of this.#cores) core.addEndpoint({ url, models: ['m'] });
    return {
      ...{ index, url, model: this.#newModel(index, url), step: undefined, isUp: true },
      ...{ busySeconds: 0, computedTokens: 0, after: { arrivalSeconds: 0, seconds: 0 } },
      past: { requests: 0, cached: 0, external: 0, output: 0, preemptions: 0 },
    };
  }

  #newModel(index: number, url: string): EngineModel {
    const { config, cost, createConnector } = this.#options.engines[index] as SimulatedEngine;
    const admitted = (request: EngineRequest, cachedTokens: number) => {
      const attempt = attemptOf(request);
      const { promptTokens } = request;
      attempt.cachedTokens = cachedTokens;
      this.#cached[attempt.index] = cachedTokens;
      (this.#places[index] as Place).computedTokens += promptTokens - cachedTokens;
    };
    const events: EngineListener = {
      blocksStored: (request, first, count) => {
        const { words, request: sent } = attemptOf(request);
        const known = sent.coversAnswer ? words() : words().subarray(0, sent.promptTokens);
        this.#kvIndex.apply(url, [storedEvent(request, known, first, count, config.blockSize)]);
      },
      blockRemoved: (key) => {
        const blockHashes = [hashOf(key)];
        this.#kvIndex.apply(url, [{ type: 'BlockRemoved', blockHashes, medium: 'GPU' }]);
      },
    };
    const listener = { admitted, ...(this.#cores[0]?.policy.needsTokens ? events : {}) };
    return new EngineModel({ config, cost, listener, connector: createConnector?.(index) });
  }

  #earliestPlace(): Place | undefined {
    if (this.#hasTiers) for (const place of this.#places) this.#setDue(place);
    if (this.#earliest.seconds === Number.POSITIVE_INFINITY) return undefined;
    return this.#places[this.#earliest.index];
  }

  #setDue(place: Place): void {
    this.#earliest.set(place.index, dueSeconds(place));
  }

  #startStep(place: Place): void {
    place.step ??= place.model.schedule(this.#clock.nowSeconds());
    this.#setDue(place);
  }

  #endStep(place: Place): void {
    const step = place.step as EngineStep;
    place.step = undefined;
    this.#countBusy(place, step.startSeconds, step.endSeconds);
    const seen = this.#clock.nowSeconds() + this.#networkSeconds;
    place.model.complete(step, (request, outputIndex) => {
      this.#token(attemptOf(request), outputIndex, seen);
      return false;
    });
    this.#startStep(place);
  }

  #countBusy(place: Place, startSeconds: number, endSeconds: number): void {
    const { after } = place;
    const arrivalSeconds = this.#arrivals.at(-1) ?? 0;
    if (after.arrivalSeconds !== arrivalSeconds) place.after = { arrivalSeconds, seconds: 0 };
    place.after.seconds += Math.max(0, endSeconds - Math.max(startSeconds, arrivalSeconds));
    place.busySeconds += endSeconds - startSeconds;
  }

  #token(attempt: Attempt, outputIndex: number, seen: number): void {
    const { index, request, ticket, outputTokens } = attempt;
    this.#tokens[index]?.push(seen);
    if (outputIndex === 0) {
      this.#waiting--;
      attempt.hasToken = true;
      this.#ttft[index] = seen - (this.#arrivals[index] as number);
      ticket.firstByte();
    }
    if (outputIndex + 1 < outputTokens) return;
    this.#e2e[index] = seen - (this.#arrivals[index] as number);
    this.#attempts.delete(index);
    const { usage = true, onProgress } = this.#options;
    if (++this.#finished % progressEvery === 0) onProgress?.(this.#finished);
    this.#endSeconds = this.#clock.nowSeconds();
    ticket.finish({
      status: 'completed',
      promptTokens: request.promptTokens,
      cachedTokens: usage ? attempt.cachedTokens : undefined,
      outputTokens,
    });
    this.#source.answered(index, seen);
  }

  #arrive(): void {
    const request = this.#source.take();
    const index = this.#arrivals.length;
    const now = this.#clock.nowSeconds();
    this.#options.onSent?.(request);
    this.#arrivals.push(now);
    this.#prompts.push(request.promptTokens);
    this.#ttft.push(Number.NaN);
    this.#e2e.push(Number.NaN);
    this.#engineOf.push(-1);
    this.#cached.push(0);
    this.#failed.push(0);
    if (this.#options.keepTokens) this.#tokens.push([]);
    this.#waitingAtArrival.push(this.#waiting++);
    this.#send(request, index, wordsOf(request, this.#source.blockTokens));
  }

  #send(
    request: SimulatedRequest,
    index: number,
    words: () => Uint32Array<ArrayBuffer>,
    exclude?: ReadonlySet<string>,
  ): void {
    let ticket: Ticket;
    try {
      const { blockTokens } = this.#source;
      const routed = this.#options.hidesSessions ? { ...request, session: undefined } : request;
      ticket = this.#anyCore().route(routingRequestOf(routed, index, blockTokens, words), exclude);
    } catch (error) {
      if (!(error instanceof NoEndpointError)) throw error;
      this.#lose(index, true);
      return;
    }
    const place = this.#placeOf.get(ticket.pick.endpoint.url) as Place;
    this.#engineOf[index] = place.index;
    ticket.sent();
    const { blockSize, maxModelLen } = place.model.config;
    if (request.promptTokens >= maxModelLen) {
      // vLLM answers 400, which no other engine would mend.
      ticket.finish({ status: 'failed' });
      this.#refused++;
      this.#lose(index, true);
      return;
    }
    const outputTokens = Math.min(
      Math.max(1, request.outputTokens),
      maxModelLen - request.promptTokens,
    );
    const attempt: Attempt = {
      ...{ index, request, words, ticket, engine: place.index, outputTokens },
      ...{ hasToken: false, cachedTokens: 0 },
    };
    this.#attempts.set(index, attempt);
    const sent: FleetEngineRequest = {
      ...engineRequestOf(request, index, this.#source.blockTokens, blockSize),
      attempt,
    };
    place.model.add(sent, 0);
    this.#startStep(place);
  }

  #anyCore(): RoutingCore {
    const routers = this.#cores.length;
    const router = routers === 1 ? 0 : randomInteger(this.#routerRandom, routers);
    return this.#cores[router] as RoutingCore;
  }

  #lose(index: number, isWaiting: boolean): void {
    if (isWaiting) this.#waiting--;
    this.#failed[index] = 1;
    this.#endSeconds = this.#clock.nowSeconds();
    this.#source.answered(index, this.#endSeconds);
  }

  /** As the router does it: before the first token a request goes elsewhere, after it it is lost. */
  #fail(): void {
    const { engine, up } = this.#failures.shift() as { engine: number; up: boolean };
    const place = this.#places[engine] as Place;
    if (place.isUp === up) return;
    place.isUp = up;
    if (up) {
      for (const core of this.#cores) {
        core.endpointRestarted(place.url);
        core.setState(place.url, 'live', 'healthy again');
      }
      return;
    }
    for (const core of this.#cores) core.setState(place.url, 'dead', 'failed');
    const { stats } = place.model;
    place.past.requests += stats.finished;
    place.past.cached += stats.prefixCacheHits;
    place.past.external += stats.externalCacheHits;
    place.past.output += stats.outputTokens;
    place.past.preemptions += stats.preemptions;
    if (place.step) this.#countBusy(place, place.step.startSeconds, this.#clock.nowSeconds());
    place.step = undefined;
    place.model = this.#newModel(engine, place.url);
    this.#setDue(place);
    this.#kvIndex.removeEngine(place.url);
    for (const attempt of [...this.#attempts.values()].filter((a) => a.engine === engine)) {
      const { index, request, words, ticket, hasToken } = attempt;
      this.#attempts.delete(index);
      ticket.finish({ status: 'failed' });
      if (hasToken) this.#lose(index, false);
      else {
        this.#retries++;
        this.#send(request, index, words, new Set([place.url]));
      }
    }
  }

  #report(): void {
    for (const { url, model } of this.#places) {
      const { running, waiting, kvUsage, blocksTotal } = model.stats;
      const { blockSize: blockTokens } = model.config;
      const atSeconds = this.#clock.nowSeconds();
      const reported = { atSeconds, running, waiting, kvUsage, blocksTotal, blockTokens };
      for (const core of this.#cores) core.setReported(url, reported);
    }
  }
}

/** When its step ends, or, without one, a transfer that somebody waits for. */
function dueSeconds({ step, model }: Place): number {
  return step?.endSeconds ?? model.wakeSeconds;
}

function isSource(
  requests: readonly SimulatedRequest[] | RequestSource,
): requests is RequestSource {
  return 'nextSeconds' in requests;
}
