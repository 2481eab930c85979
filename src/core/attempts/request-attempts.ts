// The attempts of one request: the engine that is picked, the attempt in flight, and the hedge beside it.
import type { AttemptEffects, AttemptOutcome, EngineAttempt } from './attempt-effects.ts';
import { type HeadVerdict, redirectStatusMin } from './attempt-state.ts';
import type { AttemptWatch } from './deadlines.ts';
import { Flight } from './flight.ts';
import { Hedge, type HedgePlan } from './hedging/hedge.ts';
import type { HedgedRequest } from './hedging/hedging.ts';
import type { Move, RetryAccount } from './retry-account.ts';
import type { FailureRule, RetryPolicy } from './retry-policy.ts';

/** The time that a request has left. */
export interface TimeLeft {
  /** Whether an engine would respond after the request's time is over. */
  isTooLateFor(attempt: EngineAttempt): boolean;
}

export interface RequestAttemptsParts {
  readonly effects: AttemptEffects;
  readonly policy: RetryPolicy;
  readonly retries: RetryAccount;
  /** Undefined for attempts without deadlines. */
  readonly watch: AttemptWatch | undefined;
  /** Undefined for a request that must not be sent to two engines at once. */
  readonly hedges: HedgePlan | undefined;
}

/**
 * Knows which engines have the request, and moves it among them; `AttemptMachine` decides when. Methods that send
 * are called last in their turn, because the driver may give the next input from within.
 */
export class RequestAttempts {
  readonly #request: HedgedRequest;
  readonly #effects: AttemptEffects;
  readonly #policy: RetryPolicy;
  readonly #retries: RetryAccount;
  readonly #watch: AttemptWatch | undefined;
  readonly #hedge: Hedge | undefined;
  /** The next attempt, until it is sent. */
  #picked: EngineAttempt | undefined = undefined;
  #flight: Flight | undefined = undefined;

  /** @param request Identifies the request. */
  constructor(request: HedgedRequest, parts: RequestAttemptsParts) {
    const { effects, hedges } = parts;
    this.#request = request;
    this.#effects = effects;
    this.#policy = parts.policy;
    this.#retries = parts.retries;
    this.#watch = parts.watch;
    this.#hedge = hedges && new Hedge(hedges, (outcome) => effects.hedgeEnded(outcome));
  }

  /** The attempt in flight, or the last one; undefined before the first. */
  get flight(): Flight | undefined {
    return this.#flight;
  }

  /** The same; one must have been sent. */
  get current(): EngineAttempt {
    return (this.#flight as Flight).attempt;
  }

  /** The second attempt while it is in flight beside the first one. */
  get hedgeFlight(): Flight | undefined {
    return this.#hedge?.flight;
  }

  /** The request is admitted. */
  admitted(): void {
    this.#retries.admitted();
    this.#hedge?.admitted();
  }

  /** Picks the engine of the next attempt. @returns Undefined if no engine is left. */
  pick(): EngineAttempt | undefined {
    this.#picked = this.#effects.pick(this.#retries.tried);
    return this.#picked;
  }

  /** The engine that is picked does not get the request. */
  unpick(): void {
    this.#picked?.unpick();
    this.#picked = undefined;
  }

  /**
   * Picks another engine for a request that the engine of the current attempt failed.
   *
   * @returns Whether one is picked.
   */
  pickElsewhere(move: Move, timeLeft: TimeLeft): boolean {
    this.#retries.leave(this.current);
    return this.pickAgain(move, timeLeft);
  }

  /** The same for one that has waited since. */
  pickAgain(move: Move, timeLeft: TimeLeft): boolean {
    if (!this.#retries.mayRetry(move)) return false;
    const attempt = this.pick();
    if (attempt === undefined) return false;
    if (timeLeft.isTooLateFor(attempt)) {
      this.unpick();
      return false;
    }
    this.#retries.retried(move);
    return true;
  }

  /** The attempt that is picked takes the place of the current one. */
  rerouted(): void {
    this.#effects.rerouted(this.#picked as EngineAttempt);
  }

  /** Sends the attempt that is picked. @param isHedgeable Whether a second one may be sent beside it. */
  send(isHedgeable: boolean): void {
    const attempt = this.#picked as EngineAttempt;
    this.#picked = undefined;
    this.#flight = new Flight(attempt, this.#retries, this.#watch);
    this.#hedge?.begin(this.#request, attempt, isHedgeable && this.#mayHedge(this.#hedge));
    attempt.send();
  }

  /** The engine of the current attempt failed after it had received the request. */
  charge(): Move {
    return this.#retries.charge(this.#flight as Flight);
  }

  /** What the failure of the current attempt means for its engine. */
  judge(rule: FailureRule): void {
    judge(this.current, rule);
  }

  /** Ends the current attempt, whose connection is open. */
  abandon(outcome: AttemptOutcome): void {
    this.current.abort();
    this.current.ended(outcome);
  }

  /** Whether an input belongs to the hedge. @param from Undefined for the attempt in flight. */
  isFromHedge(from: EngineAttempt | undefined): boolean {
    return this.#hedge?.isFrom(from) ?? false;
  }

  /** The first byte is late: sends a second attempt. @returns False if there must not or can not be one. */
  sendHedge(timeLeft: TimeLeft): boolean {
    const hedge = this.#hedge;
    if (hedge === undefined || !this.#mayHedge(hedge)) return false;
    const tried = new Set(this.#retries.tried).add(this.current.url);
    const attempt = this.#effects.pickHedge(tried);
    if (attempt === undefined) return false;
    if (timeLeft.isTooLateFor(attempt)) {
      attempt.unpick();
      return false;
    }
    this.#retries.meets(this.current);
    this.#retries.meets(attempt);
    hedge.sent(new Flight(attempt, this.#retries, this.#watch));
    attempt.send();
    return true;
  }

  /**
   * The response of the hedge has begun, or its engine refuses.
   *
   * @returns `pass` if the hedge has won, and is the current attempt now.
   */
  hedgeHead(status: number, hasBody: boolean): HeadVerdict {
    const hedge = this.#hedge as Hedge;
    const { reroutedStatuses, busyStatuses } = this.#policy;
    if (status < redirectStatusMin) {
      if (!hasBody) return 'hold';
      hedge.settle(true);
      this.current.outrun();
      this.abandon('cancelled');
      this.#flight = hedge.promote();
      return 'pass';
    }
    const isFailed = reroutedStatuses.has(status);
    if (isFailed && !busyStatuses.has(status)) this.#retries.charge(hedge.flight as Flight);
    hedge.flight?.attempt.abort();
    this.#endHedge(hedge, isFailed ? 'failed' : 'cancelled');
    return 'drop';
  }

  /** The engine of the hedge has failed, and its connection is gone. */
  loseHedge(rule: FailureRule): void {
    const hedge = this.#hedge as Hedge;
    if (hedge.flight !== undefined) judge(hedge.flight.attempt, rule);
    if (rule.blamesRequest) this.#retries.charge(hedge.flight as Flight);
    this.#endHedge(hedge, 'failed');
  }

  /** The current attempt has failed, and the hedge goes on alone. @returns False without a hedge. */
  leaveToHedge(): boolean {
    const flight = this.#hedge?.flight;
    if (flight === undefined) return false;
    this.#retries.leave(this.current);
    this.#effects.rerouted(flight.attempt);
    this.#flight = this.#hedge?.promote();
    return true;
  }

  /**
   * The wait for the first byte is over, and so is the hedge, if one is in flight.
   *
   * @param isObserved Whether the first byte has come.
   */
  dropHedge(isObserved: boolean, outcome: 'lost' | 'cancelled'): void {
    this.#hedge?.settle(isObserved);
    this.#hedge?.drop(outcome);
  }

  /** A request that would break too many engines with two at once is not hedged. */
  #mayHedge({ isSpent }: Hedge): boolean {
    return !isSpent && this.#retries.mayHedge;
  }

  #endHedge(hedge: Hedge, outcome: AttemptOutcome): void {
    if (hedge.flight !== undefined) this.#retries.leave(hedge.flight.attempt);
    hedge.failed(outcome);
  }
}

function judge(attempt: EngineAttempt, rule: FailureRule): void {
  if (rule.engine === 'out') attempt.engineOut();
  else if (rule.engine === 'suspected') attempt.engineSuspected();
}
