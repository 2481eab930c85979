// One attempt of a request in a fault run: an engine's ticket and a virtual connection.
import type {
  AttemptFailureKind,
  AttemptOutcome,
  EngineAttempt,
  HeadVerdict,
} from '../attempts/index.ts';
import type { Ticket } from '../routing/index.ts';
import { FaultConnection, type ResponseListener } from './fault-connection.ts';
import type { FaultyEngine, SentRequest } from './faulty-engine.ts';
import type { FaultyRequestOptions } from './faulty-request-options.ts';
import type { CheckedRequest } from './request-book.ts';

/** The request that an attempt belongs to. */
export interface FaultyAttemptOwner extends CheckedRequest {
  /** What its next engine gets. */
  readonly rest: SentRequest;
  /** @returns The number of the attempt. */
  sending(attempt: FaultyAttempt): number;
  isCurrent(attempt: FaultyAttempt): boolean;
  headOf(attempt: FaultyAttempt, status: number, hasBody: boolean): HeadVerdict;
  responded(attempt: FaultyAttempt, status: number): void;
  bytes(token: number): void;
  ended(): void;
  failed(attempt: FaultyAttempt, kind: AttemptFailureKind): void;
}

export class FaultyAttempt implements EngineAttempt, ResponseListener {
  readonly #request: FaultyAttemptOwner;
  readonly #options: FaultyRequestOptions;
  readonly #ticket: Ticket;
  #connection: FaultConnection | undefined = undefined;
  /** Status of a response whose head has arrived but has not been passed on. */
  #heldStatus: number | undefined = undefined;

  constructor(request: FaultyAttemptOwner, options: FaultyRequestOptions, ticket: Ticket) {
    this.#request = request;
    this.#options = options;
    this.#ticket = ticket;
  }

  get url(): string {
    return this.#ticket.pick.endpoint.url;
  }

  get isConnected(): boolean {
    return this.#connection?.isOpen ?? false;
  }

  get predictedSeconds(): number | undefined {
    return this.#ticket.predictedSeconds;
  }

  get prefillTokens(): number {
    return this.#ticket.prefillTokens;
  }

  unpick(): void {
    this.#ticket.finish({ status: 'cancelled' });
  }

  send(): void {
    const { timeline } = this.#options;
    const sent = this.#request.rest;
    const delaySeconds = this.#options.delaySeconds();
    const number = this.#request.sending(this);
    const name = `${this.#request.name}.${number} at ${this.url}`;
    this.#ticket.sent();
    const connection = new FaultConnection(timeline, { name, delaySeconds, listener: this });
    this.#connection = connection;
    timeline.after(delaySeconds, `${name} received`, () => {
      this.#engine.receive(connection, sent);
    });
  }

  abort(): void {
    this.#connection?.abort();
  }

  engineOut(): void {
    this.#request.router.engineOut(this.url, 'failed');
  }

  engineSuspected(): void {
    if (!this.#engine.accepts) this.engineOut();
  }

  /** All engines have the model. */
  lacksModel(): void {}

  firstByte(): void {
    this.#ticket.firstByte();
    this.#request.router.roomMade();
  }

  progressed(): void {
    this.#ticket.progressed();
  }

  outrun(): void {
    this.#ticket.outrun();
  }

  broke(): void {
    this.#ticket.broke();
  }

  ended(status: AttemptOutcome): void {
    this.#options.invariants.attemptEnded(this.#request, this.url);
    this.#ticket.finish({ status });
    this.#request.router.roomMade();
  }

  // Events of the connection.

  onHead(status: number): void {
    this.#request.responded(this, status);
    this.#heldStatus = status;
    this.#passHead(false);
  }

  onBytes(token: number): void {
    this.#passHead(true);
    if (this.#isCurrent) this.#request.bytes(token);
  }

  onEnd(isError: boolean): void {
    this.#passHead(true);
    if (isError) this.onFailure('event');
    else if (this.#isCurrent) this.#request.ended();
  }

  onFailure(kind: AttemptFailureKind): void {
    this.#request.failed(this, kind);
  }

  #passHead(hasBody: boolean): void {
    const status = this.#heldStatus;
    if (status === undefined) return;
    this.#heldStatus = undefined;
    if (this.#request.headOf(this, status, hasBody) === 'hold') this.#heldStatus = status;
  }

  /** Whether its response is the request's; another attempt may have been sent within the same event. */
  get #isCurrent(): boolean {
    return this.#request.isCurrent(this);
  }

  get #engine(): FaultyEngine {
    return this.#options.engineOf.get(this.url) as FaultyEngine;
  }
}
