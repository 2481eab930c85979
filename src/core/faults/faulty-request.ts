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
} from '../attempts/index.ts';
import { NoEndpointError, type RoutingRequest } from '../routing/index.ts';
import type { ResponseListener } from './fault-connection.ts';
import type { FaultSettings } from './fault-settings.ts';
import { FaultyAttempt } from './faulty-attempt.ts';
import { type FaultyEngine, responseTokens, type SentRequest } from './faulty-engine.ts';
import type { FaultyRouter } from './faulty-router.ts';
import type { Invariants } from './invariants.ts';
import type { Timeline } from './timeline.ts';

export interface FaultyRequestOptions {
  readonly name: string;
  readonly settings: FaultSettings;
  readonly timeline: Timeline;
  readonly invariants: Invariants;
  readonly router: FaultyRouter;
  readonly engineOf: ReadonlyMap<string, FaultyEngine>;
  readonly routingRequest: RoutingRequest;
  readonly sent: SentRequest;
  /** In the admission queue. */
  readonly priority: number;
  /** Draws the network delay of the next connection. */
  delaySeconds(): number;
  createMachine(effects: AttemptEffects): AttemptMachine;
  /** Called when it has ended. */
  onOver(): void;
}

export class FaultyRequest implements AttemptEffects, ResponseListener {
  readonly name: string;
  readonly router: FaultyRouter;
  readonly #options: FaultyRequestOptions;
  readonly #machine: AttemptMachine;
  /** Its attempt in flight, or the last one. */
  #attempt: FaultyAttempt | undefined = undefined;
  #attempts = 0;
  #hasHead = false;
  /** Tokens of the response that the client has. */
  #tokens = 0;
  #isOver = false;
  /** Its place in the admission queue; stays when it has left. */
  #place: AdmissionPlace | undefined = undefined;
  /** Status of a response whose head has arrived but has not been passed on. */
  #heldStatus: number | undefined = undefined;

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
    return this.#attempt?.isConnected ?? false;
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

  // Events of the connection.

  onHead(status: number): void {
    this.#options.invariants.responded(this, status);
    this.#heldStatus = status;
    this.#passHead(false);
  }

  onBytes(token: number): void {
    this.#passHead(true);
    if (!this.#machine.responseBytes()) return;
    if (token >= 0) this.#tokens++;
    this.#options.invariants.delivered(this, 'bytes', token);
  }

  onEnd(isError: boolean): void {
    this.#passHead(true);
    if (isError) this.onFailure('event');
    else this.#machine.responseEnd(false);
  }

  onFailure(kind: AttemptFailureKind): void {
    this.#options.invariants.failed(this, kind);
    this.#machine.attemptFailed(kind);
  }

  #passHead(hasBody: boolean): void {
    const status = this.#heldStatus;
    if (status === undefined) return;
    this.#heldStatus = undefined;
    const verdict = this.#machine.responseHead(status, hasBody);
    if (verdict === 'hold') this.#heldStatus = status;
    // The head of an engine that continues a response is dropped.
    if (verdict !== 'pass' || this.#hasHead) return;
    this.#hasHead = true;
    this.#options.invariants.delivered(this, 'head');
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
    this.#options.invariants.sent(this, attempt.url);
    this.#attempt = attempt;
    this.#heldStatus = undefined;
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
