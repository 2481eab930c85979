// A fleet of engine models behind the real routing core, on a virtual clock: shows the effect of a policy
// on traffic in seconds instead of GPU-hours.
import { ManualClock } from '../base/index.ts';
import { type EngineRequest, type KvConnector, MultiConnector } from '../engine/index.ts';
import { type RequestSource, tracedRequests } from '../traces/index.ts';
import { type Attempt, attemptOf } from './attempt.ts';
import type { EngineRole } from './disaggregation.ts';
import { Earliest } from './earliest.ts';
import { FleetAttempts } from './fleet-attempts.ts';
import { FleetEngine } from './fleet-engine.ts';
import type { FleetSimulationOptions } from './fleet-options.ts';
import type { FleetSimulationResult } from './fleet-result.ts';
import { FleetRouters } from './fleet-routers.ts';
import { FleetScaling } from './fleet-scaling.ts';
import { FleetSeries } from './fleet-series.ts';
import { FleetTiers, type TieredEngine } from './fleet-tiers.ts';
import { Handoffs } from './handoffs.ts';
import { type OutageEdge, outageEdges } from './outages.ts';
import { RequestLog } from './request-log.ts';
import type { SimulatedEngine } from './simulated-engine.ts';

const reportSecondsDefault = 5;
const networkSecondsDefault = 0.0005;

/** Simulates the requests on the fleet until the last one is finished. */
export function simulateFleet(options: FleetSimulationOptions): FleetSimulationResult {
  const fleet = new Fleet(options);
  fleet.run();
  return fleet.result();
}

class Fleet {
  readonly #options: FleetSimulationOptions;
  readonly #source: RequestSource;
  readonly #clock = new ManualClock();
  readonly #routers: FleetRouters;
  /** Routers of the decode engines, where prefill is disaggregated. */
  readonly #decodeRouters: FleetRouters;
  readonly #handoffs: Handoffs<Attempt> | undefined;
  readonly #engines: readonly FleetEngine[];
  readonly #engineOf: ReadonlyMap<string, FleetEngine>;
  readonly #earliest: Earliest;
  readonly #attempts: FleetAttempts;
  readonly #outages: OutageEdge[];
  readonly #log: RequestLog;
  readonly #series: FleetSeries | undefined;
  readonly #scaling: FleetScaling | undefined;
  readonly #networkSeconds: number;

  constructor(options: FleetSimulationOptions) {
    this.#options = options;
    this.#source = sourceOf(options);
    this.#networkSeconds = options.networkSeconds ?? networkSecondsDefault;
    const saturation = options.admission?.saturation;
    const tiers = options.reportsTiers
      ? new FleetTiers((url) => this.#tieredEngine(url), this.#clock)
      : undefined;
    this.#routers = new FleetRouters({ ...options, saturation, tiers }, this.#clock);
    const { disaggregation, routers = 1, seed = 1 } = options;
    this.#handoffs = disaggregation && new Handoffs<Attempt>(disaggregation, this.#networkSeconds);
    this.#decodeRouters = disaggregation
      ? new FleetRouters(
          { ...options, policy: disaggregation.decodePolicy, seed: seed + routers },
          this.#clock,
        )
      : this.#routers;
    this.#engines = options.engines.map((engine, index) => this.#newEngine(engine, index));
    this.#engineOf = new Map(this.#engines.map((engine) => [engine.url, engine]));
    this.#earliest = new Earliest(options.engines.length);
    this.#outages = outageEdges(options.failures ?? []);
    const { keepTokens = false, scaling } = options;
    this.#log = new RequestLog({ keepTokens, keepsRecent: scaling !== undefined });
    if (scaling && (disaggregation || options.failures)) {
      throw new RangeError('A scaled fleet has no failures, and prefill is not disaggregated');
    }
    this.#scaling = scaling && new FleetScaling(scaling, this.#engines, this.#routers);
    this.#series = options.keepSeries ? new FleetSeries() : undefined;
    this.#attempts = new FleetAttempts({
      ...{ options, source: this.#source, clock: this.#clock, log: this.#log },
      ...{ routers: this.#routers, decodeRouters: this.#decodeRouters, handoffs: this.#handoffs },
      networkSeconds: this.#networkSeconds,
      engine: (url) => this.#engineOf.get(url) as FleetEngine,
      startStep: (engine) => this.#startStep(engine),
    });
  }

  /** Processes one event after the other; among simultaneous ones, reports come first and steps last. */
  run(): void {
    const { reportSeconds = reportSecondsDefault } = this.#options;
    let nextReport = reportSeconds > 0 ? 0 : Number.POSITIVE_INFINITY;
    for (;;) {
      const arrival = this.#source.nextSeconds;
      const admission = this.#attempts.admission;
      const isIdle =
        this.#attempts.underWay === 0 && !this.#handoffs?.hasHops && !admission?.isStanding;
      if (arrival === Number.POSITIVE_INFINITY && isIdle) break;
      const engine = this.#earliestEngine();
      const due = engine?.dueSeconds ?? Number.POSITIVE_INFINITY;
      const outage = this.#outages[0]?.atSeconds ?? Number.POSITIVE_INFINITY;
      const handoff = this.#handoffs?.nextSeconds ?? Number.POSITIVE_INFINITY;
      const tick = this.#attempts.tickSeconds;
      const scaling = this.#scaling?.nextSeconds ?? Number.POSITIVE_INFINITY;
      const next = Math.min(due, arrival, outage, handoff, tick, scaling);
      if (next === Number.POSITIVE_INFINITY) {
        throw new Error('The fleet is stalled with requests in flight');
      }
      const now = Math.min(next, nextReport);
      this.#series?.advance(now, this.#engines);
      this.#clock.advanceTo(now);
      this.#routers.deliverUpdates();
      if (this.#decodeRouters !== this.#routers) this.#decodeRouters.deliverUpdates();
      if (now === nextReport) {
        this.#report();
        nextReport += reportSeconds;
      } else if (now === scaling) this.#scale(now);
      else if (now === outage) this.#changeState(this.#outages.shift() as OutageEdge);
      else if (now === handoff) this.#handOver(this.#handoffs as Handoffs<Attempt>);
      else if (now === arrival) this.#attempts.arrive();
      else if (now === tick) this.#attempts.tick();
      else this.#act(engine as FleetEngine);
      if (admission?.isStanding) admission.release();
    }
  }

  result(): FleetSimulationResult {
    const requests = this.#log.results();
    const engines = this.#engines.map((engine) => engine.result(this.#log.lastArrivalSeconds));
    const prefilling = engines.filter(({ role }) => role !== 'decode');
    const computed = prefilling.map(({ computedTokens }) => computedTokens);
    const meanComputed = computed.reduce((sum, tokens) => sum + tokens, 0) / computed.length;
    return {
      ...requests,
      refused: this.#attempts.refusedRequests,
      rejected: this.#attempts.rejectedRequests,
      retries: this.#attempts.reroutes,
      hedges: this.#attempts.hedges,
      spread: Math.max(...computed) / meanComputed,
      engines,
      preemptions: engines.reduce((sum, { preemptions }) => sum + preemptions, 0),
      handoffs: this.#handoffs?.log.results(requests.arrivalSeconds),
      scaling: this.#scaling?.result(requests.seconds),
      series: this.#series?.samples ?? [],
    };
  }

  #newEngine(engine: SimulatedEngine, index: number): FleetEngine {
    const url = `http://engine-${index}`;
    const role = this.#handoffs?.roleOf(index);
    const routers = this.#routersOf(role);
    routers.addEngine(url);
    const listener = routers.kvListener(url, engine.config.blockSize);
    const onAdmitted = (request: EngineRequest, cachedTokens: number, externalTokens: number) => {
      // Tokens read from another engine were counted there.
      if (role === 'decode' && externalTokens > 0) return;
      const attempt = attemptOf(request);
      if (attempt.admitted(index, cachedTokens)) {
        this.#log.admitted(attempt.index, cachedTokens, this.#clock.nowSeconds());
      }
    };
    const onTokens = (request: EngineRequest, atSeconds: readonly number[]) => {
      const attempt = attemptOf(request);
      // The client sees only the tokens of the decode leg.
      if (attempt.leg === 'prefill') return;
      this.#log.tokens(attempt.index, attempt.outputTokens, atSeconds, this.#networkSeconds);
    };
    const exchange = this.#handoffs?.exchange;
    const connected = exchange
      ? {
          ...engine,
          createConnector: (core: number) => connectorWith(exchange.connect(index), engine, core),
        }
      : engine;
    return new FleetEngine({
      ...{ index, url, engine: connected, role, listener, onAdmitted, onTokens },
    });
  }

  #tieredEngine(url: string): TieredEngine | undefined {
    const engine = this.#engineOf.get(url);
    return engine && { connector: engine.connector, blockSize: engine.config.blockSize };
  }

  #routersOf(role: EngineRole | undefined): FleetRouters {
    return role === 'decode' ? this.#decodeRouters : this.#routers;
  }

  #earliestEngine(): FleetEngine | undefined {
    if (this.#earliest.seconds === Number.POSITIVE_INFINITY) return undefined;
    return this.#engines[this.#earliest.index];
  }

  /** Called after every change to the engine: nothing else changes when it acts next. */
  #setDue(engine: FleetEngine): void {
    this.#earliest.set(engine.index, engine.dueSeconds);
  }

  /** Lets an engine act at its time: ends its step, if it has one, and starts the next. */
  #act(engine: FleetEngine): void {
    if (engine.hasStep) {
      engine.endStep(this.#log.lastArrivalSeconds, giveToken);
    }
    this.#startStep(engine);
  }

  #startStep(engine: FleetEngine): void {
    engine.startStep(this.#clock.nowSeconds());
    this.#setDue(engine);
  }

  /** KV has reached its reader, or a request the router's second pick. */
  #handOver(handoffs: Handoffs<Attempt>): void {
    const nowSeconds = this.#clock.nowSeconds();
    for (const engine of handoffs.exchange.advance(nowSeconds)) {
      this.#startStep(this.#engines[engine] as FleetEngine);
    }
    this.#attempts.answer(handoffs);
  }

  /** An engine stops or returns; the attempts decide the outcome of its requests. */
  #changeState({ engine: index, isUp }: OutageEdge): void {
    const engine = this.#engines[index] as FleetEngine;
    if (engine.isUp === isUp) return;
    engine.isUp = isUp;
    if (isUp) {
      this.#routersOf(this.#handoffs?.roleOf(index)).engineIsBack(engine.url);
      return;
    }
    const routers = this.#routersOf(this.#handoffs?.roleOf(index));
    routers.engineFailed(engine.url);
    const lost = this.#handoffs?.engineFailed(index, this.#clock.nowSeconds()) ?? [];
    engine.fail(this.#clock.nowSeconds(), this.#log.lastArrivalSeconds);
    this.#setDue(engine);
    this.#attempts.engineFailed(engine);
    for (const { id } of lost) this.#attempts.promptLost(id, this.#engines);
  }

  #scale(nowSeconds: number): void {
    const requests = {
      arrived: this.#log.arrivedRequests,
      ...this.#log.prefills,
      held: this.#attempts.admission?.queued ?? 0,
      takeTtfts: () => this.#log.takeRecentTtfts(),
    };
    this.#scaling?.act(nowSeconds, requests, this.#log.lastArrivalSeconds);
  }

  #report(): void {
    const atSeconds = this.#clock.nowSeconds();
    for (const { index, url, stats, config } of this.#engines) {
      const { running, waiting, kvUsage, blocksTotal } = stats;
      const { prefixCacheHits, externalCacheHits: lowerTierHits } = stats;
      const { externalCacheQueries: lowerTierQueries } = stats;
      const blockTokens = config.blockSize;
      const routers = this.#routersOf(this.#handoffs?.roleOf(index));
      const load = { atSeconds, running, waiting, kvUsage, blocksTotal, blockTokens };
      routers.report(url, { ...load, prefixCacheHits, lowerTierHits, lowerTierQueries });
    }
  }
}

function giveToken(request: EngineRequest, outputIndex: number, engine: number): void {
  attemptOf(request).token(outputIndex, engine);
}

/** A source as given, or one that replays a trace, whose arrivals may be accelerated. */
function sourceOf(options: FleetSimulationOptions): RequestSource {
  const { requests, traceBlockTokens, speed = 1 } = options;
  if ('nextSeconds' in requests) return requests;
  if (speed === 1) return tracedRequests(requests, traceBlockTokens);
  const faster = requests.map((request) => ({
    ...request,
    arrivalSeconds: request.arrivalSeconds / speed,
  }));
  return tracedRequests(faster, traceBlockTokens);
}

/** The tiers of an engine behind what it exchanges with others: a prompt that is not handed over is looked up there. */
function connectorWith(
  exchange: KvConnector,
  { createConnector }: SimulatedEngine,
  core: number,
): KvConnector {
  const tiers = createConnector?.(core);
  return tiers === undefined ? exchange : new MultiConnector([exchange, tiers]);
}
