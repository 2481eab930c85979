// One attempt of a request in a fault run: an engine's ticket and a virtual connection.
import type { AttemptOutcome, EngineAttempt } from '../attempts/index.ts';
import type { Ticket } from '../routing/index.ts';
import { FaultConnection } from './fault-connection.ts';
import type { FaultyEngine } from './faulty-engine.ts';
import type { FaultyRequest, FaultyRequestOptions } from './faulty-request.ts';

export class FaultyAttempt implements EngineAttempt {
  readonly #request: FaultyRequest;
  readonly #options: FaultyRequestOptions;
  readonly #ticket: Ticket;
  #connection: FaultConnection | undefined = undefined;

  constructor(request: FaultyRequest, options: FaultyRequestOptions, ticket: Ticket) {
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
    const listener = this.#request;
    const connection = new FaultConnection(timeline, { name, delaySeconds, listener });
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

  firstByte(): void {
    this.#ticket.firstByte();
    this.#request.router.roomMade();
  }

  progressed(): void {
    this.#ticket.progressed();
  }

  ended(status: AttemptOutcome): void {
    this.#options.invariants.attemptEnded(this.#request);
    this.#ticket.finish({ status });
    this.#request.router.roomMade();
  }

  get #engine(): FaultyEngine {
    return this.#options.engineOf.get(this.url) as FaultyEngine;
  }
}
