// The requests of a simulated fleet that are at engines or between them, and their outcomes.
import {
  Admission,
  type AdmissionRequest,
  admissionCost,
  type HedgeOutcome,
  Hedging,
  hedgeTickSeconds,
  MeasuredHedgeDelays,
} from '../attempts/index.ts';
import { type Clock, seededRandom } from '../base/index.ts';
import { NoEndpointError, type Ticket } from '../routing/index.ts';
import type { RequestSource } from '../traces/index.ts';
import { Attempt, type AttemptFleet } from './attempt.ts';
import type { FleetEngine } from './fleet-engine.ts';
import type { FleetSimulationOptions } from './fleet-options.ts';
import { routingRequestOf, wordsOf } from './fleet-request.ts';
import type { FleetRouters } from './fleet-routers.ts';
import type { Handoffs } from './handoffs.ts';
import type { RequestLog } from './request-log.ts';

export interface FleetAttemptsOptions {
  readonly options: FleetSimulationOptions;
  readonly source: RequestSource;
  readonly clock: Clock;
  readonly routers: FleetRouters;
  /** Routers of the engines that respond; the same unless prefill is disaggregated. */
  readonly decodeRouters: FleetRouters;
  readonly handoffs: Handoffs<Attempt> | undefined;
  readonly log: RequestLog;
  /** One-way time between router and engine. */
  readonly networkSeconds: number;
  engine(url: string): FleetEngine;
  startStep(engine: FleetEngine): void;
}

const progressEvery = 256;
/** Interval at which routers look at their admission queue. */
const tickSeconds = 0.25;

export class FleetAttempts implements AttemptFleet {
  readonly handoffs: Handoffs<Attempt> | undefined;
  readonly blockTokens: number;
  readonly tellsUsage: boolean;
  readonly #of: FleetAttemptsOptions;
  readonly #log: RequestLog;
  /** Attempts at an engine, by index of their request. */
  readonly #underWay = new Map<number, Attempt>();
  #refused = 0;
  #rejected = 0;
  /** Undefined where requests are not queued. */
  readonly admission: Admission | undefined;
  #ticked = 0;
  /** Undefined where requests are not hedged. */
  readonly hedging: Hedging | undefined;
  #hedgeTicked = 0;
  readonly #hedges: Record<HedgeOutcome, number> = { won: 0, lost: 0, failed: 0, cancelled: 0 };
  #reroutes = 0;

  constructor(of: FleetAttemptsOptions) {
    this.#of = of;
    this.#log = of.log;
    this.handoffs = of.handoffs;
    this.blockTokens = of.source.blockTokens;
    this.tellsUsage = of.options.usage ?? true;
    const { admission, seed = 1, hedging, keepTokens, disaggregation } = of.options;
    if (hedging !== undefined && (keepTokens || disaggregation)) {
      throw new RangeError('Hedged requests keep no tokens, and prefill is not disaggregated');
    }
    this.hedging =
      hedging &&
      new Hedging({
        ...{ budgetShare: hedging.budget / 100, delays: new MeasuredHedgeDelays() },
        clock: of.clock,
      });
    this.admission =
      admission &&
      new Admission({
        queueTimeoutSeconds: admission.queueTimeoutSeconds,
        holdTimeoutSeconds: admission.holdTimeoutSeconds,
        queuedRequestsMax: admission.queuedRequestsMax,
        clock: of.clock,
        random: seededRandom(seed + 2_000_000),
        hasRoom: () => of.routers.hasRoom(),
        mayReturn: () => of.routers.mayReturn(),
      });
  }

  /** Requests at an engine. */
  get underWay(): number {
    return this.#underWay.size;
  }

  /** Requests that engines refused with 400. */
  get refusedRequests(): number {
    return this.#refused;
  }

  /** How many times a request was sent to another engine. */
  get reroutes(): number {
    return this.#reroutes;
  }

  /** Requests that were not admitted. */
  get rejectedRequests(): number {
    return this.#rejected;
  }

  /** Second attempts by outcome. */
  get hedges(): Readonly<Record<HedgeOutcome, number>> {
    return this.#hedges;
  }

  /** When the admission queue or late requests are to be looked at next; Infinity while nobody waits. */
  get tickSeconds(): number {
    return Math.min(this.#admissionTickSeconds, this.#hedgeTickSeconds);
  }

  get #admissionTickSeconds(): number {
    return this.admission?.isStanding ? this.#ticked + tickSeconds : Number.POSITIVE_INFINITY;
  }

  get #hedgeTickSeconds(): number {
    return this.hedging?.waiting ? this.#hedgeTicked + hedgeTickSeconds : Number.POSITIVE_INFINITY;
  }

  tick(): void {
    const nowSeconds = this.nowSeconds();
    if (nowSeconds >= this.#admissionTickSeconds) {
      this.#ticked = nowSeconds;
      this.admission?.tick();
    }
    if (nowSeconds >= this.#hedgeTickSeconds) {
      this.#hedgeTicked = nowSeconds;
      this.hedging?.check();
    }
  }

  rejected(): void {
    this.#rejected++;
  }

  /** Takes the next request from the source. */
  arrive(): void {
    const { source, options } = this.#of;
    const request = source.take();
    options.onSent?.(request);
    const index = this.#log.arrived(request.promptTokens, this.nowSeconds());
    const words = wordsOf(request, this.blockTokens);
    if (!this.hedging?.waiting) this.#hedgeTicked = this.nowSeconds();
    const attempt = new Attempt(this, { index, request, words });
    if (this.admission === undefined) attempt.start();
    else {
      if (!this.admission.isStanding) this.#ticked = this.nowSeconds();
      this.admission.enter(this.#admissionRequestOf(attempt));
    }
  }

  #admissionRequestOf(attempt: Attempt): AdmissionRequest {
    const { owner, priority } = this.#of.options.admission ?? {};
    const { request } = attempt;
    return {
      model: undefined,
      priority: priority?.(request) ?? 0,
      owner: owner?.(request) ?? '',
      cost: admissionCost(request.promptTokens),
      patienceSeconds: Number.POSITIVE_INFINITY,
      admitted: () => attempt.start(),
      rejected: ({ status }) => attempt.reject(status),
    };
  }

  /** Everything that the engine held is lost. */
  engineFailed(engine: FleetEngine): void {
    for (const attempt of [...this.#underWay.values()]) attempt.engineFailed(engine);
  }

  /** Requests whose prompt has been handed over are sent to the engine that responds. */
  answer(handoffs: Handoffs<Attempt>): void {
    for (const attempt of handoffs.arrived(this.nowSeconds())) {
      const isLost = !handoffs.exchange.isReady(String(attempt.index));
      if (isLost && handoffs.disaggregation.loadFailure === 'fail') attempt.loseHandover();
      else attempt.answer();
    }
  }

  /** The prompt that a request was to read, or was reading, is lost with the engine that computed it. */
  promptLost(id: string, engines: readonly FleetEngine[]): void {
    const attempt = this.#underWay.get(Number(id));
    // The request has not been sent to a decode engine yet: see `answer`.
    if (attempt === undefined) return;
    const engine = engines[attempt.engine] as FleetEngine;
    if (this.handoffs?.disaggregation.loadFailure === 'fail') {
      engine.abort(id, this.nowSeconds());
      attempt.failAtEngine();
    }
    this.#of.startStep(engine);
  }

  nowSeconds(): number {
    return this.#of.clock.nowSeconds();
  }

  engine(url: string): FleetEngine {
    return this.#of.engine(url);
  }

  startStep(engine: FleetEngine): void {
    this.#of.startStep(engine);
  }

  route(
    leg: Attempt['leg'],
    { request, index, words }: Attempt,
    tried: ReadonlySet<string> | undefined,
  ): Ticket | undefined {
    const { options, routers, decodeRouters } = this.#of;
    const routed = options.hidesSessions ? { ...request, session: undefined } : request;
    const asked = routingRequestOf(routed, index, this.blockTokens, words);
    try {
      return (leg === 'prefill' ? routers : decodeRouters).route(asked, tried);
    } catch (error) {
      if (error instanceof NoEndpointError) return undefined;
      throw error;
    }
  }

  routeHedge({ request, index, words }: Attempt, tried: ReadonlySet<string>): Ticket | undefined {
    const { options, routers } = this.#of;
    if (this.admission?.isStanding) return undefined;
    const routed = options.hidesSessions ? { ...request, session: undefined } : request;
    return routers.routeHedge(routingRequestOf(routed, index, this.blockTokens, words), tried);
  }

  hedgeEnded(outcome: HedgeOutcome): void {
    this.#hedges[outcome]++;
  }

  abort(engine: FleetEngine, id: string): void {
    engine.abort(id, this.nowSeconds());
    this.#of.startStep(engine);
  }

  sent(attempt: Attempt): void {
    this.#underWay.set(attempt.index, attempt);
    if (attempt.leg === 'answer') this.#log.sent(attempt.index, attempt.engine);
  }

  ended(attempt: Attempt): void {
    this.#underWay.delete(attempt.index);
  }

  rerouted(): void {
    this.#reroutes++;
  }

  firstToken({ index }: Attempt): void {
    this.#log.firstToken(index, this.#seenSeconds());
  }

  completed({ index }: Attempt): void {
    const seen = this.#seenSeconds();
    this.#log.completed(index, seen, this.nowSeconds());
    const { onProgress } = this.#of.options;
    if (this.#log.finished % progressEvery === 0) onProgress?.(this.#log.finished);
    this.#of.source.answered(index, seen);
  }

  refused(): void {
    this.#refused++;
  }

  lost({ index, hasToken }: Attempt): void {
    const nowSeconds = this.nowSeconds();
    this.#log.lost(index, hasToken, nowSeconds);
    this.#of.source.answered(index, nowSeconds);
  }

  /** When a client receives what an engine sends now. */
  #seenSeconds(): number {
    return this.nowSeconds() + this.#of.networkSeconds;
  }
}
