// One client's request in a fault run: drives production's attempt machine with virtual connections.

import {
  type AdmissionPlace,
  type AttemptDeadline,
  type AttemptEffects,
  type AttemptFailureKind,
  type AttemptMachine,
  type AttemptOutcome,
  admissionCost,
  type Continuation,
  type EngineAttempt,
  type HeadVerdict,
  type HedgeOutcome,
} from '../attempts/index.ts';
import { NoEndpointError } from '../routing/index.ts';
import { FaultyAttempt, type FaultyAttemptOwner } from './faulty-attempt.ts';
import { responseTokens, type SentRequest } from './faulty-engine.ts';
import type { FaultyRequestOptions } from './faulty-request-options.ts';
import type { FaultyRouter } from './faulty-router.ts';

export class FaultyRequest implements AttemptEffects, FaultyAttemptOwner {
  readonly name: string;
  readonly router: FaultyRouter;
  readonly #options: FaultyRequestOptions;
  readonly #machine: AttemptMachine;
  /** Its attempt in flight, or the last one. */
  #attempt: FaultyAttempt | undefined = undefined;
  /** The second one beside it. */
  #hedge: FaultyAttempt | undefined = undefined;
  #attempts = 0;
  #hasHead = false;
  /** Tokens of the response that the client has. */
  #tokens = 0;
  #isOver = false;
  /** Its place in the admission queue; stays when it has left. */
  #place: AdmissionPlace | undefined = undefined;

  constructor(options: FaultyRequestOptions) {
    this.#options = options;
    this.name = options.name;
    this.router = options.router;
    this.#machine = options.createMachine(this);
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** Whether another engine can continue its response. */
  get migrates(): boolean {
    return this.#options.settings.migrates;
  }

  /** Tokens of the whole response. */
  get responseTokens(): number {
    return responseTokens(this.#options.sent);
  }

  /** Whether it is connected to an engine. */
  get isConnected(): boolean {
    return (this.#attempt?.isConnected || this.#hedge?.isConnected) ?? false;
  }

  start(): void {
    const { router } = this;
    if (router.admission === undefined) {
      this.#machine.admit();
      return;
    }
    const { routingRequest, priority, invariants } = this.#options;
    this.#place = router.admission.enter({
      ...{ model: routingRequest.model, priority, owner: routingRequest.session ?? '' },
      cost: admissionCost(routingRequest.promptTokens),
      patienceSeconds: Number.POSITIVE_INFINITY,
      admitted: () => this.#machine.admit(),
      rejected: ({ status }) => {
        invariants.wasRejected();
        this.#machine.reject(status);
      },
    });
    if (this.#place !== undefined) invariants.waits();
  }

  /** The client or its router disconnects. */
  leave(): void {
    if (this.#isOver) return;
    this.#options.invariants.clientLeft(this);
    this.#machine.cancel();
  }

  // Events of its attempts.

  /** A head has arrived, or the first of the body after one that was held. */
  headOf(attempt: FaultyAttempt, status: number, hasBody: boolean): HeadVerdict {
    const verdict = this.#machine.responseHead(status, hasBody, attempt);
    // The head of an engine that continues a response is dropped.
    if (verdict !== 'pass' || this.#hasHead) return verdict;
    this.#hasHead = true;
    this.#options.invariants.delivered(this, 'head');
    return verdict;
  }

  bytes(token: number): void {
    if (!this.#machine.responseBytes()) return;
    if (token >= 0) this.#tokens++;
    this.#options.invariants.delivered(this, 'bytes', token);
  }

  /** Whether an attempt's response is that of the request. */
  isCurrent(attempt: FaultyAttempt): boolean {
    return attempt === this.#attempt;
  }

  ended(): void {
    this.#machine.responseEnd(false);
  }

  failed(attempt: FaultyAttempt, kind: AttemptFailureKind): void {
    if (attempt !== this.#hedge) this.#options.invariants.failed(this, kind);
    else this.#options.invariants.hedgeFailed(this, kind);
    this.#machine.attemptFailed(kind, attempt);
  }

  /** The router has received the status of a response. */
  responded(attempt: FaultyAttempt, status: number): void {
    if (attempt !== this.#hedge) this.#options.invariants.responded(this, status);
    else this.#options.invariants.hedgeFailed(this, status);
  }

  // Effects of the machine.

  pick(tried: ReadonlySet<string> | undefined): EngineAttempt | undefined {
    try {
      const ticket = this.router.core.route(this.#options.routingRequest, tried);
      return new FaultyAttempt(this, this.#options, ticket);
    } catch (error) {
      if (!(error instanceof NoEndpointError)) throw error;
      return undefined;
    }
  }

  secondsWithoutEngine(): number | undefined {
    return this.router.core.secondsWithoutEngine(this.#options.routingRequest);
  }

  pickHedge(tried: ReadonlySet<string>): EngineAttempt | undefined {
    const { router } = this;
    const { routingRequest } = this.#options;
    if (router.admission?.isStanding) return undefined;
    const ticket = router.core.routeHedge(routingRequest, tried);
    this.#hedge = ticket && new FaultyAttempt(this, this.#options, ticket);
    return this.#hedge;
  }

  hedgeEnded(outcome: HedgeOutcome): void {
    if (outcome === 'won') this.#attempt = this.#hedge;
    this.#hedge = undefined;
    this.#options.invariants.hedgeEnded(this, outcome);
  }

  expired(deadline: AttemptDeadline): void {
    this.#options.invariants.failed(this, deadline);
  }

  continuation(): Continuation {
    if (!this.#options.settings.migrates) return 'impossible';
    return this.rest.outputTokens > 0 ? 'possible' : 'complete';
  }

  notContinued(): void {}

  rerouted(): void {
    this.#options.invariants.rerouted();
  }

  refuse(): void {
    this.#options.invariants.delivered(this, 'an error');
  }

  breakOff(): void {
    this.#options.invariants.delivered(this, 'a cut');
  }

  complete(): void {
    this.#options.invariants.delivered(this, 'the end');
  }

  requestEnded(outcome: AttemptOutcome): void {
    this.#isOver = true;
    if (this.#place !== undefined) this.router.admission?.leave(this.#place);
    this.#options.invariants.requestEnded(this, outcome);
    this.#options.onOver();
  }

  /** An attempt is about to be sent. @returns Its number. */
  sending(attempt: FaultyAttempt): number {
    const { invariants } = this.#options;
    if (attempt === this.#hedge) invariants.hedged(this, attempt.url);
    else {
      invariants.sent(this, attempt.url);
      this.#attempt = attempt;
    }
    return this.#attempts++;
  }

  /** The request for the tokens that the client does not have. */
  get rest(): SentRequest {
    const { sent } = this.#options;
    return {
      ...sent,
      promptTokens: sent.promptTokens + this.#tokens,
      outputTokens: responseTokens(sent) - this.#tokens,
      sentTokens: this.#tokens,
    };
  }
}
