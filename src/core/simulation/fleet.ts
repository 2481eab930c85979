// A fleet of engine models behind the real routing core, on a virtual clock: what a policy does to
// traffic, in seconds instead of GPU-hours.
import { ManualClock } from '../base/index.ts';
import { NoEndpointError, type Ticket } from '../routing/index.ts';
import { type RequestSource, tracedRequests } from '../traces/index.ts';
import type { Attempt, FleetRequest } from './attempt.ts';
import { type EngineRole, Handoffs } from './disaggregation.ts';
import { Earliest } from './earliest.ts';
import { FleetEngine } from './fleet-engine.ts';
import type { FleetSimulationOptions, SimulatedEngine } from './fleet-options.ts';
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
  /** Those of the engines that decode, where prefill is apart. */
  readonly #decodeRouters: FleetRouters;
  readonly #handoffs: Handoffs | undefined;
  readonly #engines: readonly FleetEngine[];
  readonly #engineOf: ReadonlyMap<string, FleetEngine>;
  readonly #earliest: Earliest;
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
    this.#networkSeconds = options.networkSeconds ?? networkSecondsDefault;
    this.#routers = new FleetRouters(options, this.#clock);
    const { disaggregation, routers = 1, seed = 1 } = options;
    this.#handoffs = disaggregation && new Handoffs(disaggregation, this.#networkSeconds);
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
    this.#log = new RequestLog({ keepTokens: options.keepTokens ?? false });
    this.#series = options.keepSeries ? new FleetSeries() : undefined;
  }

  /** One event after the other; of those at one moment, reports come first and steps last. */
  run(): void {
    const { reportSeconds = reportSecondsDefault } = this.#options;
    let nextReport = reportSeconds > 0 ? 0 : Number.POSITIVE_INFINITY;
    for (;;) {
      const arrival = this.#source.nextSeconds;
      const isIdle = this.#attempts.size === 0 && !this.#handoffs?.hasHops;
      if (arrival === Number.POSITIVE_INFINITY && isIdle) break;
      const engine = this.#earliestEngine();
      const due = engine?.dueSeconds ?? Number.POSITIVE_INFINITY;
      const outage = this.#outages[0]?.atSeconds ?? Number.POSITIVE_INFINITY;
      const handoff = this.#handoffs?.nextSeconds ?? Number.POSITIVE_INFINITY;
      const next = Math.min(due, arrival, outage, handoff);
      if (next === Number.POSITIVE_INFINITY) {
        throw new Error('The fleet stands still with requests in flight');
      }
      const now = Math.min(next, nextReport);
      this.#series?.advance(now, this.#engines);
      this.#clock.advanceTo(now);
      this.#routers.deliverNews();
      if (this.#decodeRouters !== this.#routers) this.#decodeRouters.deliverNews();
      if (now === nextReport) {
        this.#report();
        nextReport += reportSeconds;
      } else if (now === outage) this.#changeState(this.#outages.shift() as OutageEdge);
      else if (now === handoff) this.#handOver(this.#handoffs as Handoffs);
      else if (now === arrival) this.#arrive();
      else this.#act(engine as FleetEngine);
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
      refused: this.#refused,
      retries: this.#retries,
      spread: Math.max(...computed) / meanComputed,
      engines,
      preemptions: engines.reduce((sum, { preemptions }) => sum + preemptions, 0),
      handoffs: this.#handoffs?.log.results(requests.arrivalSeconds),
      series: this.#series?.samples ?? [],
    };
  }

  #newEngine(engine: SimulatedEngine, index: number): FleetEngine {
    const url = `http://engine-${index}`;
    const role = this.#handoffs?.roleOf(index);
    const routers = this.#routersOf(role);
    routers.addEngine(url);
    const listener = routers.kvListener(url, engine.config.blockSize);
    const onAdmitted = (attempt: Attempt, cachedTokens: number, externalTokens: number) => {
      // What was read from another engine was counted there.
      if (role === 'decode' && externalTokens > 0) return;
      attempt.cachedTokens = cachedTokens;
      this.#log.admitted(attempt.index, cachedTokens);
    };
    const onTokens = (attempt: Attempt, atSeconds: readonly number[]) => {
      // The client sees those of the decode alone.
      if (attempt.leg === 'prefill') return;
      this.#log.tokens(attempt.index, attempt.outputTokens, atSeconds, this.#networkSeconds);
    };
    const exchange = this.#handoffs?.exchange;
    const connected = exchange
      ? { ...engine, createConnector: () => exchange.connect(index) }
      : engine;
    return new FleetEngine({
      ...{ index, url, engine: connected, role, listener, onAdmitted, onTokens },
    });
  }

  #routersOf(role: EngineRole | undefined): FleetRouters {
    return role === 'decode' ? this.#decodeRouters : this.#routers;
  }

  #earliestEngine(): FleetEngine | undefined {
    if (this.#earliest.seconds === Number.POSITIVE_INFINITY) return undefined;
    return this.#engines[this.#earliest.index];
  }

  /** Called when something was done with the engine: nothing else changes when it acts next. */
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
    if (attempt.leg === 'prefill') {
      this.#prefilled(attempt);
      return;
    }
    const { index, request, ticket, outputTokens } = attempt;
    if (outputIndex === 0) {
      attempt.hasToken = true;
      this.#log.firstToken(index, seen);
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
    this.#send({ index, request, words: wordsOf(request, this.#source.blockTokens) });
  }

  /** For the first time, or again. @param exclude URLs of engines that failed it. */
  #send(request: FleetRequest, exclude?: ReadonlySet<string>): void {
    const handoffs = this.#handoffs;
    if (handoffs === undefined || handoffs.exchange.isReady(String(request.index))) {
      this.#askForAnswer(request, exclude);
    } else this.#askForPrefill(handoffs, request, exclude);
  }

  #askForPrefill(
    handoffs: Handoffs,
    request: FleetRequest,
    exclude: ReadonlySet<string> | undefined,
  ): void {
    const { remotePrefillTokensMin = 0 } = handoffs.disaggregation;
    let decodeTicket: Ticket | undefined;
    if (remotePrefillTokensMin > 0) {
      decodeTicket = this.#route(this.#decodeRouters, request, exclude);
      const cachedTokens = decodeTicket?.pick.cachedTokens ?? 0;
      if (decodeTicket && request.request.promptTokens - cachedTokens < remotePrefillTokensMin) {
        handoffs.log.skipped++;
        this.#ask('answer', request, decodeTicket);
        return;
      }
    }
    const ticket = this.#route(this.#routers, request, exclude);
    if (ticket) this.#ask('prefill', { ...request, decodeTicket }, ticket);
    else this.#lose(request.index, false);
  }

  #askForAnswer(request: FleetRequest, exclude?: ReadonlySet<string>): void {
    const early = exclude ? undefined : request.decodeTicket;
    const isUp = early && this.#engineOf.get(early.pick.endpoint.url)?.isUp;
    const ticket = isUp ? early : this.#route(this.#decodeRouters, request, exclude);
    if (ticket) this.#ask('answer', request, ticket);
    else {
      this.#handoffs?.exchange.abandon(String(request.index), this.#clock.nowSeconds());
      this.#lose(request.index, false);
    }
  }

  #ask(leg: Attempt['leg'], asked: FleetRequest, ticket: Ticket): void {
    const { index, request } = asked;
    const engine = this.#engineOf.get(ticket.pick.endpoint.url) as FleetEngine;
    if (leg === 'answer') this.#log.sent(index, engine.index);
    ticket.sent();
    const { blockSize, maxModelLen } = engine.config;
    if (request.promptTokens >= maxModelLen) {
      // vLLM answers 400, which no other engine would mend, and lets go what it was to read.
      ticket.finish({ status: 'failed' });
      this.#handoffs?.exchange.ended(engine.index, String(index));
      this.#refused++;
      this.#lose(index, false);
      return;
    }
    const room = maxModelLen - request.promptTokens;
    const wanted = leg === 'prefill' ? 1 : Math.max(1, request.outputTokens);
    const attempt: Attempt = {
      ...{ ...asked, ticket, engine: engine.index, leg, outputTokens: Math.min(wanted, room) },
      ...{ hasToken: false, cachedTokens: 0 },
    };
    this.#attempts.set(index, attempt);
    if (leg === 'prefill') this.#handoffs?.exchange.expect(String(index), engine.index);
    const sent = engineRequestOf(request, index, this.#source.blockTokens, blockSize);
    engine.add({ ...sent, maxTokens: wanted, attempt }, this.#clock.nowSeconds());
    this.#startStep(engine);
  }

  /** @returns Undefined if no engine is left. */
  #route(
    routers: FleetRouters,
    { request, index, words }: FleetRequest,
    exclude: ReadonlySet<string> | undefined,
  ): Ticket | undefined {
    const routed = this.#options.hidesSessions ? { ...request, session: undefined } : request;
    const asked = routingRequestOf(routed, index, this.#source.blockTokens, words);
    try {
      return routers.route(asked, exclude);
    } catch (error) {
      if (error instanceof NoEndpointError) return undefined;
      throw error;
    }
  }

  /** The engine that prefills has answered with its one token, which nobody reads. */
  #prefilled({ ticket, engine, cachedTokens, leg: _, ...request }: Attempt): void {
    this.#attempts.delete(request.index);
    ticket.firstByte();
    ticket.finish({
      status: 'completed',
      promptTokens: request.request.promptTokens,
      cachedTokens: this.#options.usage === false ? undefined : cachedTokens,
      outputTokens: 1,
    });
    this.#handoffs?.prefilled(request, engine, this.#clock.nowSeconds());
  }

  /** KV has come to its reader, or a request to the router's second pick. */
  #handOver(handoffs: Handoffs): void {
    const nowSeconds = this.#clock.nowSeconds();
    for (const engine of handoffs.exchange.advance(nowSeconds)) {
      this.#startStep(this.#engines[engine] as FleetEngine);
    }
    for (const request of handoffs.arrived(nowSeconds)) {
      const isLost = !handoffs.exchange.isReady(String(request.index));
      if (isLost && handoffs.disaggregation.loadFailure === 'fail')
        this.#lose(request.index, false);
      else this.#askForAnswer(request);
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
      this.#routersOf(this.#handoffs?.roleOf(index)).engineIsBack(engine.url);
      return;
    }
    const routers = this.#routersOf(this.#handoffs?.roleOf(index));
    routers.engineFailed(engine.url);
    const lost = this.#handoffs?.engineFailed(index, this.#clock.nowSeconds()) ?? [];
    engine.fail(this.#clock.nowSeconds(), this.#log.lastArrivalSeconds);
    this.#setDue(engine);
    for (const attempt of [...this.#attempts.values()].filter((one) => one.engine === index)) {
      const { request, words, ticket, hasToken } = attempt;
      this.#attempts.delete(attempt.index);
      ticket.finish({ status: 'failed' });
      if (hasToken) this.#lose(attempt.index, true);
      else {
        this.#retries++;
        this.#send({ index: attempt.index, request, words }, new Set([engine.url]));
      }
    }
    for (const { id } of lost) this.#promptLost(id);
  }

  /** What a request was to read, or was reading, is gone with the engine that computed it. */
  #promptLost(id: string): void {
    const attempt = this.#attempts.get(Number(id));
    // Nobody has been asked for the answer yet: see #handOver.
    if (attempt === undefined) return;
    const engine = this.#engines[attempt.engine] as FleetEngine;
    if (this.#handoffs?.disaggregation.loadFailure === 'fail') {
      engine.abort(id);
      attempt.ticket.finish({ status: 'failed' });
      this.#attempts.delete(attempt.index);
      this.#lose(attempt.index, attempt.hasToken);
    }
    this.#startStep(engine);
  }

  #report(): void {
    const atSeconds = this.#clock.nowSeconds();
    for (const { index, url, stats, config } of this.#engines) {
      const { running, waiting, kvUsage, blocksTotal } = stats;
      const blockTokens = config.blockSize;
      const routers = this.#routersOf(this.#handoffs?.roleOf(index));
      routers.report(url, { atSeconds, running, waiting, kvUsage, blocksTotal, blockTokens });
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
