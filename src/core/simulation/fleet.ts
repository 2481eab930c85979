// A fleet of engine models behind the real routing core, on a virtual clock: what a policy does to
// traffic, in seconds instead of GPU-hours.
import { ManualClock } from '../base/index.ts';
import { NoEndpointError, type Ticket } from '../routing/index.ts';
import { type RequestSource, tracedRequests } from '../workload/index.ts';
import type { Attempt } from './attempt.ts';
import { Earliest } from './earliest.ts';
import { FleetEngine } from './fleet-engine.ts';
import type { FleetSimulationOptions, SimulatedEngine, SimulatedRequest } from './fleet-options.ts';
import { engineRequestOf, routingRequestOf, wordsOf } from './fleet-request.ts';
import type { FleetSimulationResult } from './fleet-result.ts';
import { FleetRouters } from './fleet-routers.ts';
import { FleetSeries } from './fleet-series.ts';
import { type OutageEdge, outageEdges } from './outages.ts';
import { RequestLog } from './request-log.ts';

const reportSecondsDefault = 5;
const networkSecondsDefault = 0.0005;
const progressEvery = 256;

/** Plays the requests through the fleet until the last one is finished. */
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
  readonly #engines: readonly FleetEngine[];
  readonly #engineOf: ReadonlyMap<string, FleetEngine>;
  readonly #earliest: Earliest;
  /** Tiers wake their engines at times of their own, and may be shared. */
  readonly #hasTiers: boolean;
  /** By index of their request. */
  readonly #attempts = new Map<number, Attempt>();
  readonly #outages: OutageEdge[];
  readonly #log: RequestLog;
  readonly #series: FleetSeries | undefined;
  readonly #networkSeconds: number;
  #refused = 0;
  #retries = 0;

  constructor(options: FleetSimulationOptions) {
    this.#options = options;
    this.#source = sourceOf(options);
    this.#routers = new FleetRouters(options, this.#clock);
    this.#engines = options.engines.map((engine, index) => this.#newEngine(engine, index));
    this.#engineOf = new Map(this.#engines.map((engine) => [engine.url, engine]));
    this.#earliest = new Earliest(options.engines.length);
    this.#hasTiers = options.engines.some(({ createConnector }) => createConnector !== undefined);
    this.#outages = outageEdges(options.failures ?? []);
    this.#log = new RequestLog({ keepTokens: options.keepTokens ?? false });
    this.#series = options.keepSeries ? new FleetSeries() : undefined;
    this.#networkSeconds = options.networkSeconds ?? networkSecondsDefault;
  }

  /** One event after the other; of those at one moment, reports come first and steps last. */
  run(): void {
    const { reportSeconds = reportSecondsDefault } = this.#options;
    let nextReport = reportSeconds > 0 ? 0 : Number.POSITIVE_INFINITY;
    for (;;) {
      const arrival = this.#source.nextSeconds;
      if (arrival === Number.POSITIVE_INFINITY && this.#attempts.size === 0) break;
      const engine = this.#earliestEngine();
      const due = engine?.dueSeconds ?? Number.POSITIVE_INFINITY;
      const outage = this.#outages[0]?.atSeconds ?? Number.POSITIVE_INFINITY;
      const next = Math.min(due, arrival, outage);
      if (next === Number.POSITIVE_INFINITY) {
        throw new Error('The fleet stands still with requests in flight');
      }
      const now = Math.min(next, nextReport);
      this.#series?.advance(now, this.#engines);
      this.#clock.advanceTo(now);
      if (now === nextReport) {
        this.#report();
        nextReport += reportSeconds;
      } else if (now === outage) this.#changeState(this.#outages.shift() as OutageEdge);
      else if (now === arrival) this.#arrive();
      else this.#act(engine as FleetEngine);
    }
  }

  result(): FleetSimulationResult {
    const requests = this.#log.results();
    const engines = this.#engines.map((engine) => engine.result(this.#log.lastArrivalSeconds));
    const computed = engines.map(({ computedTokens }) => computedTokens);
    const meanComputed = computed.reduce((sum, tokens) => sum + tokens, 0) / computed.length;
    return {
      ...requests,
      refused: this.#refused,
      retries: this.#retries,
      spread: Math.max(...computed) / meanComputed,
      engines,
      preemptions: engines.reduce((sum, { preemptions }) => sum + preemptions, 0),
      series: this.#series?.samples ?? [],
    };
  }

  #newEngine(engine: SimulatedEngine, index: number): FleetEngine {
    const url = `http://engine-${index}`;
    this.#routers.addEngine(url);
    const listener = this.#routers.kvListener(url, engine.config.blockSize);
    const onAdmitted = (attempt: Attempt, cachedTokens: number) => {
      attempt.cachedTokens = cachedTokens;
      this.#log.admitted(attempt.index, cachedTokens);
    };
    return new FleetEngine({ index, url, engine, listener, onAdmitted });
  }

  #earliestEngine(): FleetEngine | undefined {
    if (this.#hasTiers) for (const engine of this.#engines) this.#setDue(engine);
    if (this.#earliest.seconds === Number.POSITIVE_INFINITY) return undefined;
    return this.#engines[this.#earliest.index];
  }

  #setDue(engine: FleetEngine): void {
    this.#earliest.set(engine.index, engine.dueSeconds);
  }

  /** What an engine does when its time has come: ends its step, if it has one, and starts the next. */
  #act(engine: FleetEngine): void {
    if (engine.hasStep) {
      const seen = this.#clock.nowSeconds() + this.#networkSeconds;
      engine.endStep(this.#log.lastArrivalSeconds, (attempt, outputIndex) =>
        this.#token(attempt, outputIndex, seen),
      );
    }
    this.#startStep(engine);
  }

  #startStep(engine: FleetEngine): void {
    engine.startStep(this.#clock.nowSeconds());
    this.#setDue(engine);
  }

  #token(attempt: Attempt, outputIndex: number, seen: number): void {
    const { index, request, ticket, outputTokens } = attempt;
    this.#log.token(index, outputIndex, seen);
    if (outputIndex === 0) {
      attempt.hasToken = true;
      ticket.firstByte();
    }
    if (outputIndex + 1 < outputTokens) return;
    this.#attempts.delete(index);
    this.#log.completed(index, seen, this.#clock.nowSeconds());
    const { usage = true, onProgress } = this.#options;
    if (this.#log.finished % progressEvery === 0) onProgress?.(this.#log.finished);
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
    this.#options.onSent?.(request);
    const index = this.#log.arrived(request.promptTokens, this.#clock.nowSeconds());
    this.#send(request, index, wordsOf(request, this.#source.blockTokens));
  }

  #send(
    request: SimulatedRequest,
    index: number,
    words: () => Uint32Array<ArrayBuffer>,
    exclude?: ReadonlySet<string>,
  ): void {
    const ticket = this.#route(request, index, words, exclude);
    if (ticket === undefined) {
      this.#lose(index, false);
      return;
    }
    const engine = this.#engineOf.get(ticket.pick.endpoint.url) as FleetEngine;
    this.#log.sent(index, engine.index);
    ticket.sent();
    const { blockSize, maxModelLen } = engine.config;
    if (request.promptTokens >= maxModelLen) {
      // vLLM answers 400, which no other engine would mend.
      ticket.finish({ status: 'failed' });
      this.#refused++;
      this.#lose(index, false);
      return;
    }
    const outputTokens = Math.min(
      Math.max(1, request.outputTokens),
      maxModelLen - request.promptTokens,
    );
    const attempt: Attempt = {
      ...{ index, request, words, ticket, engine: engine.index, outputTokens },
      ...{ hasToken: false, cachedTokens: 0 },
    };
    this.#attempts.set(index, attempt);
    const asked = engineRequestOf(request, index, this.#source.blockTokens, blockSize);
    engine.add({ ...asked, attempt });
    this.#startStep(engine);
  }

  /** @returns Undefined if no engine is left. */
  #route(
    request: SimulatedRequest,
    index: number,
    words: () => Uint32Array<ArrayBuffer>,
    exclude: ReadonlySet<string> | undefined,
  ): Ticket | undefined {
    const routed = this.#options.hidesSessions ? { ...request, session: undefined } : request;
    const asked = routingRequestOf(routed, index, this.#source.blockTokens, words);
    try {
      return this.#routers.route(asked, exclude);
    } catch (error) {
      if (error instanceof NoEndpointError) return undefined;
      throw error;
    }
  }

  #lose(index: number, hasToken: boolean): void {
    const nowSeconds = this.#clock.nowSeconds();
    this.#log.lost(index, hasToken, nowSeconds);
    this.#source.answered(index, nowSeconds);
  }

  /** As the router does it: before the first token a request goes elsewhere, after it it is lost. */
  #changeState({ engine: index, isUp }: OutageEdge): void {
    const engine = this.#engines[index] as FleetEngine;
    if (engine.isUp === isUp) return;
    engine.isUp = isUp;
    if (isUp) {
      this.#routers.engineIsBack(engine.url);
      return;
    }
    this.#routers.engineFailed(engine.url);
    engine.fail(this.#clock.nowSeconds(), this.#log.lastArrivalSeconds);
    this.#setDue(engine);
    for (const attempt of [...this.#attempts.values()].filter((one) => one.engine === index)) {
      const { request, words, ticket, hasToken } = attempt;
      this.#attempts.delete(attempt.index);
      ticket.finish({ status: 'failed' });
      if (hasToken) this.#lose(attempt.index, true);
      else {
        this.#retries++;
        this.#send(request, attempt.index, words, new Set([engine.url]));
      }
    }
  }

  #report(): void {
    const atSeconds = this.#clock.nowSeconds();
    for (const { url, stats, config } of this.#engines) {
      const { running, waiting, kvUsage, blocksTotal } = stats;
      const blockTokens = config.blockSize;
      this.#routers.report(url, { atSeconds, running, waiting, kvUsage, blocksTotal, blockTokens });
    }
  }
}

/** Given as a source, or as a trace, whose arrivals may come faster. */
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
