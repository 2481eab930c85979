// One request of a simulated fleet: drives `AttemptMachine` with engine models instead of sockets. Where
// prefill is disaggregated, the attempt has two legs on two engines.
import {
  type AttemptEffects,
  AttemptMachine,
  type AttemptOutcome,
  type Continuation,
  type EngineAttempt,
  type HedgeOutcome,
  type Hedging,
  type RejectionStatus,
} from '../attempts/index.ts';
import type { EngineRequest } from '../engine/index.ts';
import type { Ticket } from '../routing/index.ts';
import type { FleetEngine } from './fleet-engine.ts';
import type { SimulatedRequest } from './fleet-options.ts';
import { engineRequestOf } from './fleet-request.ts';
import type { Handoffs } from './handoffs.ts';
import { SecondLeg, type SecondLegRequest } from './second-leg.ts';

/** What the fleet provides to its requests. */
export interface AttemptFleet {
  readonly handoffs: Handoffs<Attempt> | undefined;
  /** Undefined if requests are never sent to two engines at once. */
  readonly hedging: Hedging | undefined;
  /** Tokens per block id of the traffic. */
  readonly blockTokens: number;
  /** Whether responses report the number of cached tokens. */
  readonly tellsUsage: boolean;
  nowSeconds(): number;
  engine(url: string): FleetEngine;
  startStep(engine: FleetEngine): void;
  /** Ends a request on an engine whose response nobody needs. */
  abort(engine: FleetEngine, id: string): void;
  /** @returns Undefined if no engine is left. */
  route(
    leg: 'prefill' | 'answer',
    attempt: Attempt,
    tried: ReadonlySet<string> | undefined,
  ): Ticket | undefined;
  /** Picks a second engine. @returns Undefined if no other engine is idle. */
  routeHedge(attempt: Attempt, tried: ReadonlySet<string>): Ticket | undefined;
  /** The second attempt has ended, or is the only one. */
  hedgeEnded(outcome: HedgeOutcome): void;
  /** The attempt is in progress on an engine. */
  sent(attempt: Attempt): void;
  /** The attempt is no longer in progress. */
  ended(attempt: Attempt): void;
  rerouted(): void;
  /** The router did not admit the request. */
  rejected(): void;
  firstToken(attempt: Attempt): void;
  completed(attempt: Attempt): void;
  /** The engine refused the request with 400. */
  refused(): void;
  lost(attempt: Attempt): void;
}

export class Attempt implements AttemptEffects, EngineAttempt, SecondLegRequest {
  /** In order of arrival. */
  readonly index: number;
  readonly request: SimulatedRequest;
  /** The tokens of its blocks, created at the first read. */
  readonly words: () => Uint32Array<ArrayBuffer>;
  /** Index of the engine that has it, or had it last. */
  engine = -1;
  /** `prefill`: the engine computes the prompt, and another one generates the response. */
  leg: 'prefill' | 'answer' = 'answer';
  /** The output length of the request, or the rest of the engine's context. */
  outputTokens = 0;
  cachedTokens = 0;
  /** Whether the client has received a token. */
  hasToken = false;
  readonly #fleet: AttemptFleet;
  readonly #machine: AttemptMachine;
  #ticket: Ticket | undefined = undefined;
  /** Number of the next attempt. */
  #picked: Ticket | undefined = undefined;
  /** The second attempt, while it is in flight beside this one, and once it is the only one. */
  #second: SecondLeg | undefined = undefined;
  #isSecondAlone = false;
  #isOutrun = false;
  /** The engine that is to respond, if it was picked before the one that prefills. */
  #decodeTicket: Ticket | undefined = undefined;
  /** The prompt has been handed over, so the next leg responds even if the prompt is lost. */
  #isHandedOver = false;

  constructor(
    fleet: AttemptFleet,
    of: {
      readonly index: number;
      readonly request: SimulatedRequest;
      readonly words: () => Uint32Array<ArrayBuffer>;
    },
  ) {
    this.#fleet = fleet;
    this.index = of.index;
    this.request = of.request;
    this.words = of.words;
    const { hedging } = fleet;
    const hedges = hedging && { hedging, model: 'm' };
    const none = undefined;
    this.#machine = new AttemptMachine(this, none, none, none, none, hedges);
  }

  start(): void {
    this.#machine.admit();
  }

  /** The router does not admit the request. */
  reject(status: RejectionStatus): void {
    this.#fleet.rejected();
    this.#machine.reject(status);
  }

  // Events from the engine.

  /** An engine starts to compute the prompt. */
  admitted(engine: number, cachedTokens: number): boolean {
    if (engine === this.engine) {
      this.cachedTokens = cachedTokens;
      return true;
    }
    if (this.#second !== undefined) this.#second.cachedTokens = cachedTokens;
    return false;
  }

  /**
   * A token arrived.
   *
   * @param outputIndex Index of the last one, if several arrived.
   * @param engine Index of the engine that sent it.
   */
  token(outputIndex: number, engine: number): void {
    if (this.leg === 'prefill') {
      // The single token of a prefill leg is not read.
      this.#machine.handedOver();
      this.#isHandedOver = true;
      this.#fleet.handoffs?.prefilled(this, this.engine, this.#fleet.nowSeconds());
      return;
    }
    const from = engine === this.engine ? this : this.#second;
    if (from === undefined) return;
    if (outputIndex === 0 && this.#machine.responseHead(200, true, from) === 'pass') {
      this.#machine.responseBytes();
    }
    if (outputIndex + 1 >= this.outputTokens) this.#machine.responseEnd(false);
  }

  /** An engine has crashed; nothing happens unless it has the request. */
  engineFailed({ index }: FleetEngine): void {
    if (index === this.engine) this.#machine.attemptFailed('reset');
    else if (index === this.#second?.engine.index)
      this.#machine.attemptFailed('reset', this.#second);
  }

  /** The engine ends the request with an error, as vLLM does if a prompt cannot be loaded. */
  failAtEngine(): void {
    this.#machine.responseHead(500, true);
    this.#machine.responseEnd(true);
  }

  /** Between two legs: the request is sent to the engine that is to respond. */
  answer(): void {
    this.#machine.proceed();
  }

  /** Between two legs: the prompt is lost, and not computed again. */
  loseHandover(): void {
    this.#machine.attemptFailed('truncated');
  }

  // Actions that the machine requests.

  pick(tried: ReadonlySet<string> | undefined): EngineAttempt | undefined {
    if (tried !== undefined) this.#decodeTicket = undefined;
    const { handoffs } = this.#fleet;
    const answers =
      this.#isHandedOver || handoffs === undefined || handoffs.exchange.isReady(String(this.index));
    this.#isHandedOver = false;
    this.#picked = answers ? this.#pickAnswer(tried) : this.#pickPrefill(handoffs, tried);
    return this.#picked && this;
  }

  get url(): string {
    return (this.#picked as Ticket).pick.endpoint.url;
  }

  send(): void {
    const { index, request, leg } = this;
    const ticket = this.#picked as Ticket;
    this.#ticket = ticket;
    const engine = this.#fleet.engine(ticket.pick.endpoint.url);
    this.engine = engine.index;
    this.#second = undefined;
    this.#isSecondAlone = false;
    this.#isOutrun = false;
    this.#fleet.sent(this);
    ticket.sent();
    const { maxModelLen } = engine.config;
    if (request.promptTokens >= maxModelLen) {
      this.#refuseAtEngine();
      return;
    }
    const wanted = leg === 'prefill' ? 1 : Math.max(1, request.outputTokens);
    this.outputTokens = Math.min(wanted, maxModelLen - request.promptTokens);
    this.cachedTokens = 0;
    if (leg === 'prefill') this.#fleet.handoffs?.exchange.expect(String(index), engine.index);
    this.addTo(engine);
  }

  addTo(engine: FleetEngine): void {
    const { index, request } = this;
    const wanted = this.leg === 'prefill' ? 1 : Math.max(1, request.outputTokens);
    const { blockSize } = engine.config;
    const sent = engineRequestOf(request, index, this.#fleet.blockTokens, blockSize);
    const attempted: AttemptedRequest = { ...sent, maxTokens: wanted, attempt: this };
    engine.add(attempted, this.#fleet.nowSeconds());
    this.#fleet.startStep(engine);
  }

  removeFrom(engine: FleetEngine): void {
    this.#fleet.abort(engine, String(this.index));
  }

  outcomeOf(status: AttemptOutcome): Parameters<Ticket['finish']>[0] {
    if (status !== 'completed') return { status };
    return {
      status,
      promptTokens: this.request.promptTokens,
      cachedTokens: this.#fleet.tellsUsage ? this.cachedTokens : undefined,
      outputTokens: this.outputTokens,
    };
  }

  get predictedSeconds(): number | undefined {
    return this.#picked?.predictedSeconds;
  }

  get prefillTokens(): number {
    return this.#picked?.prefillTokens ?? 0;
  }

  /** In a simulation no request waits for an engine. */
  secondsWithoutEngine(): number {
    return Number.POSITIVE_INFINITY;
  }

  pickHedge(tried: ReadonlySet<string>): EngineAttempt | undefined {
    const ticket = this.#fleet.routeHedge(this, tried);
    if (ticket === undefined) return undefined;
    const engine = this.#fleet.engine(ticket.pick.endpoint.url);
    this.#second = new SecondLeg(this, ticket, engine);
    return this.#second;
  }

  hedgeEnded(outcome: HedgeOutcome): void {
    this.#fleet.hedgeEnded(outcome);
    const second = this.#second as SecondLeg;
    if (outcome !== 'won') {
      this.#second = undefined;
      return;
    }
    // From here on its engine is the request's, and its ticket the one that a first byte belongs to.
    this.engine = second.engine.index;
    this.cachedTokens = second.cachedTokens;
    this.#isSecondAlone = true;
    this.#fleet.sent(this);
  }

  outrun(): void {
    this.#isOutrun = true;
    this.#ticket?.outrun();
  }

  /** Simulated requests have no deadlines. */
  unpick(): void {}

  expired(): void {}

  /** No abort is needed where the engine has crashed or has already responded. */
  abort(): void {
    if (this.#isOutrun) this.removeFrom(this.#fleet.engine(this.url));
  }

  /** Every router has already noticed the crash. */
  engineOut(): void {}

  engineSuspected(): void {}

  /** All engines have the model. */
  lacksModel(): void {}

  firstByte(): void {
    if (this.leg === 'answer') this.hasFirstToken();
    this.#ticket?.firstByte();
  }

  hasFirstToken(): void {
    this.hasToken = true;
    this.#fleet.firstToken(this);
  }

  /** Only the first of its tokens is reported to the machine. */
  progressed(): void {}

  broke(): void {
    this.#ticket?.broke();
  }

  ended(status: AttemptOutcome): void {
    this.#fleet.ended(this);
    this.#ticket?.finish(this.outcomeOf(status));
  }

  secondEnded(): void {
    if (this.#isSecondAlone) this.#fleet.ended(this);
  }

  /** Simulated streams end with their engine. */
  continuation(): Continuation {
    return 'impossible';
  }

  notContinued(): void {}

  rerouted(): void {
    this.#fleet.rerouted();
  }

  refuse(): void {
    const { handoffs } = this.#fleet;
    const id = String(this.index);
    if (handoffs?.exchange.isReady(id)) handoffs.exchange.abandon(id, this.#fleet.nowSeconds());
    this.#fleet.lost(this);
  }

  breakOff(): void {
    this.#fleet.lost(this);
  }

  complete(outcome: AttemptOutcome): void {
    if (outcome === 'completed') this.#fleet.completed(this);
    else this.#fleet.lost(this);
  }

  requestEnded(): void {}

  #pickPrefill(
    handoffs: Handoffs<Attempt>,
    tried: ReadonlySet<string> | undefined,
  ): Ticket | undefined {
    const { remotePrefillTokensMin = 0 } = handoffs.disaggregation;
    this.#decodeTicket = undefined;
    if (remotePrefillTokensMin > 0) {
      const ticket = this.#fleet.route('answer', this, tried);
      const cachedTokens = ticket?.pick.cachedTokens ?? 0;
      if (ticket && this.request.promptTokens - cachedTokens < remotePrefillTokensMin) {
        handoffs.log.skipped++;
        this.leg = 'answer';
        return ticket;
      }
      this.#decodeTicket = ticket;
    }
    this.leg = 'prefill';
    return this.#fleet.route('prefill', this, tried);
  }

  #pickAnswer(tried: ReadonlySet<string> | undefined): Ticket | undefined {
    this.leg = 'answer';
    const early = this.#decodeTicket;
    this.#decodeTicket = undefined;
    const isUp = early && this.#fleet.engine(early.pick.endpoint.url).isUp;
    return isUp ? early : this.#fleet.route('answer', this, tried);
  }

  /** vLLM responds with 400, as every other engine would, and releases what it was to read. */
  #refuseAtEngine(): void {
    this.#fleet.handoffs?.exchange.ended(this.engine, String(this.index));
    this.#fleet.refused();
    this.#machine.responseHead(400, true);
    // The policy must not learn from this response.
    this.#machine.responseEnd(true);
  }
}

/** Inside an engine a request refers to its attempt: each token needs it. */
interface AttemptedRequest extends EngineRequest {
  readonly attempt: Attempt;
}

/** @param request A request that a fleet gave to an engine. */
export function attemptOf(request: EngineRequest): Attempt {
  return (request as AttemptedRequest).attempt;
}
