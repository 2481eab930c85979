// The second attempt of a hedged request of a simulated fleet, beside the one in flight.
import type { AttemptOutcome, EngineAttempt } from '../attempts/index.ts';
import type { Ticket } from '../routing/index.ts';
import type { FleetEngine } from './fleet-engine.ts';

/** What the request does for it. */
export interface SecondLegRequest {
  /** Puts the request on an engine. */
  addTo(engine: FleetEngine): void;
  /** Takes it from there. */
  removeFrom(engine: FleetEngine): void;
  /** The first token has come from it. */
  hasFirstToken(): void;
  secondEnded(): void;
  outcomeOf(status: AttemptOutcome): Parameters<Ticket['finish']>[0];
}

export class SecondLeg implements EngineAttempt {
  readonly engine: FleetEngine;
  readonly ticket: Ticket;
  /** Prompt tokens that its engine had cached. */
  cachedTokens = 0;
  readonly #request: SecondLegRequest;

  constructor(request: SecondLegRequest, ticket: Ticket, engine: FleetEngine) {
    this.#request = request;
    this.ticket = ticket;
    this.engine = engine;
  }

  get url(): string {
    return this.engine.url;
  }

  get predictedSeconds(): number | undefined {
    return this.ticket.predictedSeconds;
  }

  get prefillTokens(): number {
    return this.ticket.prefillTokens;
  }

  unpick(): void {}

  send(): void {
    this.ticket.sent();
    this.#request.addTo(this.engine);
  }

  abort(): void {
    this.#request.removeFrom(this.engine);
  }

  engineOut(): void {}

  engineSuspected(): void {}

  /** All engines have the model. */
  lacksModel(): void {}

  firstByte(): void {
    this.#request.hasFirstToken();
    this.ticket.firstByte();
  }

  progressed(): void {
    this.ticket.progressed();
  }

  /** Only the attempt that was in flight first can be outrun. */
  outrun(): void {}

  broke(): void {
    this.ticket.broke();
  }

  ended(status: AttemptOutcome): void {
    this.#request.secondEnded();
    this.ticket.finish(this.#request.outcomeOf(status));
  }
}
