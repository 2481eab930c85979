// The hedge of one request: the wait for its first byte, and the second attempt beside the one in flight.
import type { AttemptOutcome, EngineAttempt, HedgeOutcome } from '../attempt-effects.ts';
import type { Flight } from '../flight.ts';
import type { FirstByteWait, HedgedRequest, Hedging } from './hedging.ts';

/** How one request may be hedged. */
export interface HedgePlan {
  readonly hedging: Hedging;
  readonly model: string | undefined;
}

/** At most one per request; `AttemptMachine` decides, this keeps what there is. */
export class Hedge {
  readonly #plan: HedgePlan;
  readonly #onEnd: (outcome: HedgeOutcome) => void;
  #wait: FirstByteWait | undefined = undefined;
  #flight: Flight | undefined = undefined;
  #isSpent = false;

  /** @param onEnd Called once for each second attempt that was sent. */
  constructor(plan: HedgePlan, onEnd: (outcome: HedgeOutcome) => void) {
    this.#plan = plan;
    this.#onEnd = onEnd;
  }

  /** The second attempt while it is in flight beside the first one. */
  get flight(): Flight | undefined {
    return this.#flight;
  }

  /** Whether there was a second attempt. */
  get isSpent(): boolean {
    return this.#isSpent;
  }

  isFrom(attempt: EngineAttempt | undefined): boolean {
    return attempt !== undefined && attempt === this.#flight?.attempt;
  }

  admitted(): void {
    this.#plan.hedging.budget.deposit();
  }

  /** An attempt is being sent, and none is in flight beside it. */
  begin(request: HedgedRequest, attempt: EngineAttempt, mayHedge: boolean): void {
    const { hedging, model } = this.#plan;
    this.#wait?.dropped();
    this.#wait = hedging.begin(request, model, attempt, mayHedge);
  }

  /** The wait for the first byte is over. @param isObserved See `Hedging.end`. */
  settle(isObserved: boolean): void {
    if (isObserved) this.#wait?.observed();
    else this.#wait?.dropped();
    this.#wait = undefined;
  }

  /** The second attempt is being sent. */
  sent(flight: Flight): void {
    this.#isSpent = true;
    this.#flight = flight;
  }

  /** The second attempt becomes the only one. @returns Undefined if none is in flight. */
  promote(): Flight | undefined {
    const flight = this.#flight;
    if (flight === undefined) return undefined;
    this.settle(false);
    this.#flight = undefined;
    this.#onEnd('won');
    return flight;
  }

  /** Ends the second attempt, if one is in flight. */
  drop(outcome: 'lost' | 'cancelled'): void {
    this.#flight?.attempt.abort();
    this.#end('cancelled', outcome);
  }

  /** The engine of the second attempt has failed or refused; its connection is gone. */
  failed(attempt: AttemptOutcome): void {
    this.#end(attempt, 'failed');
  }

  #end(attempt: AttemptOutcome, outcome: HedgeOutcome): void {
    const flight = this.#flight;
    if (flight === undefined) return;
    this.#flight = undefined;
    flight.attempt.ended(attempt);
    this.#onEnd(outcome);
  }
}
