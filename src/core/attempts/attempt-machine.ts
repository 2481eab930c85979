// One request from its arrival to its end, as a state machine: events in, effects out. It has no
// socket, clock or engine, so the router and the simulator run this same code.
import type {
  AttemptEffects,
  AttemptOutcome,
  ContinuationLoss,
  EngineAttempt,
  RefusalCause,
  RejectionStatus,
} from './attempt-effects.ts';
import {
  type AttemptState,
  clientLeftStatus,
  errorStatusMin,
  failedStatusMin,
  type HeadVerdict,
  lateStatus,
  redirectStatusMin,
  stoppingStatus,
} from './attempt-state.ts';
import {
  type AttemptWatch,
  type ClientPatience,
  endlessPatience,
  type Watched,
} from './deadlines.ts';
import { Flight } from './flight.ts';
import { Hedge, type HedgePlan } from './hedging/hedge.ts';
import type { HedgedRequest } from './hedging/hedging.ts';
import { RequestTimes } from './request-times.ts';
import { type Move, RetryAccount } from './retry-account.ts';
import type { RetryBudget } from './retry-budget.ts';
import {
  type AttemptFailureKind,
  type AttemptTimer,
  defaultRetryPolicy,
  type FailureRule,
  type RetryPolicy,
} from './retry-policy.ts';

/**
 * Methods are inputs; an input that is not valid in the current state does nothing. Relaying a chunk
 * allocates nothing.
 *
 * @example
 * const machine = new AttemptMachine(effects);
 * machine.admit(); // effects.pick, attempt.send
 * machine.responseHead(200, false); // 'hold': the engine has not begun to compute
 * machine.responseHead(200, true); // 'pass'
 * machine.responseBytes(); // attempt.firstByte; true: pass them on
 * machine.responseEnd(false); // attempt.ended, effects.requestEnded, effects.complete
 */
export class AttemptMachine implements Watched, HedgedRequest {
  // Links of the watch's list.
  previous: Watched | undefined = undefined;
  next: Watched | undefined = undefined;
  readonly #effects: AttemptEffects;
  readonly #policy: RetryPolicy;
  readonly #retries: RetryAccount;
  /** Undefined for a request that is never sent to two engines at once. */
  readonly #hedge: Hedge | undefined;
  #state: AttemptState = 'arrived';
  /** The next attempt, until it is sent. */
  #picked: EngineAttempt | undefined = undefined;
  /** The attempt in flight, or the last one. */
  #flight: Flight | undefined = undefined;
  /** Status of the response that has begun. */
  #status = 0;
  /** Whether the client has the head of the response, so that no engine's response can take its place. */
  #hasBegun = false;
  /** Chunks of the body of the attempt in flight. */
  #chunks = 0;
  readonly #watch: AttemptWatch | undefined;
  readonly #times: RequestTimes;

  /**
   * @param budget Shared by the requests of a router; undefined allows every retry of the policy.
   * @param watch Checks the deadlines of the router's requests; undefined for none.
   * @param hedges Undefined for a request that must not be sent to two engines at once.
   */
  constructor(
    effects: AttemptEffects,
    policy: RetryPolicy = defaultRetryPolicy,
    budget?: RetryBudget,
    watch?: AttemptWatch,
    patience: ClientPatience = endlessPatience,
    hedges?: HedgePlan,
  ) {
    this.#effects = effects;
    this.#policy = policy;
    this.#retries = new RetryAccount(policy, budget);
    this.#watch = watch;
    this.#times = new RequestTimes(watch, patience);
    this.#hedge = hedges && new Hedge(hedges, (outcome) => effects.hedgeEnded(outcome));
    watch?.add(this);
  }

  get state(): AttemptState {
    return this.#state;
  }

  /** The request may be sent to an engine: at once, or when its turn in the admission queue has come. */
  admit(): void {
    if (this.#state !== 'arrived') return;
    this.#state = 'admitted';
    this.#retries.admitted();
    this.#hedge?.admitted();
    this.proceed();
  }

  /** The request is not admitted. @param status Response to the client. */
  reject(status: RejectionStatus): void {
    if (this.#state !== 'arrived') return;
    this.#over();
    this.#effects.requestEnded('failed', status);
    this.#effects.refuse('rejected');
  }

  /** Picks an engine and sends the request there. Drivers call it only after `handedOver`. */
  proceed(): void {
    if (this.#state !== 'admitted') return;
    if (!this.#pick()) this.#refuseWithoutEngine();
    else if (this.#isTooLate) this.#endLate();
    else this.#send();
  }

  /**
   * The head of the engine's response has arrived, or the first of its body after a head that was held.
   *
   * @param hasBody Whether a part of the body, or its end, is there. vLLM sends the head of a stream before
   *   it computes the prompt, so a head alone is no sign that a response will come.
   * @param from The attempt that it belongs to. @default the one in flight, without a hedge
   */
  responseHead(status: number, hasBody: boolean, from?: EngineAttempt): HeadVerdict {
    if (this.#state !== 'sent') return 'drop';
    if (this.#hedge?.isFrom(from)) return this.#hedgeHead(this.#hedge, status, hasBody);
    const { reroutedStatuses, busyStatuses } = this.#policy;
    if (this.#hasBegun && status !== this.#status && !reroutedStatuses.has(status)) {
      this.#loseContinuation('refused');
      return 'drop';
    }
    if (reroutedStatuses.has(status)) {
      const isBusy = busyStatuses.has(status);
      const move = isBusy ? this.#moveFromRefusal : this.#charge();
      if (this.#hedge?.flight !== undefined) {
        this.#attempt.abort();
        this.#attempt.ended('failed');
        this.#leaveToHedge();
        return 'drop';
      }
      if (this.#pickElsewhere(move)) {
        // The rest of this response is not needed.
        this.#moveOn();
        return 'drop';
      }
      if (this.#hasBegun) {
        this.#loseContinuation(this.#retries.lossOf(move));
        return 'drop';
      }
    } else if (!hasBody) return 'hold';
    this.#hedge?.settle(status < errorStatusMin);
    this.#hedge?.drop('lost');
    this.#status = status;
    this.#hasBegun = true;
    this.#times.began();
    this.#state = 'firstByte';
    return 'pass';
  }

  /**
   * Bytes of the response's body have arrived.
   *
   * @param chunks Number of chunks that begin in them; engines write one per token.
   * @returns Whether to pass them on to the client.
   */
  responseBytes(chunks = 1): boolean {
    switch (this.#state) {
      case 'streaming':
        this.#times.hasData = true;
        this.#count(chunks);
        return true;
      case 'firstByte':
        this.#state = 'streaming';
        this.#times.hasData = true;
        if (this.#status < errorStatusMin) this.#attempt.firstByte();
        this.#count(chunks);
        return true;
      case 'arrived':
      case 'admitted':
      case 'picked':
      case 'sent':
      case 'ended':
        return false;
    }
  }

  #count(chunks: number): void {
    const { progressChunks } = this.#policy;
    const had = this.#chunks;
    this.#chunks = had + chunks;
    if (had >= progressChunks || this.#chunks < progressChunks) return;
    if (this.#status < errorStatusMin) this.#attempt.progressed();
  }

  /** The response is complete. @param isError Whether its body reports a failure, such as an error event. */
  responseEnd(isError: boolean): void {
    if (this.#state !== 'firstByte' && this.#state !== 'streaming') return;
    const isBusy = this.#policy.busyStatuses.has(this.#status);
    const isFailed = isError || isBusy || this.#status >= failedStatusMin;
    const outcome = isFailed ? 'failed' : 'completed';
    if (outcome === 'completed' && this.#status < errorStatusMin) {
      this.#flight?.completed();
    }
    this.#end(outcome, this.#status);
    this.#effects.complete(outcome);
  }

  /**
   * The attempt in flight failed, and its connection is gone; or, between two attempts, what the first
   * one computed for the second is lost.
   *
   * @param from The attempt that it belongs to. @default the one in flight, without a hedge
   */
  attemptFailed(kind: AttemptFailureKind, from?: EngineAttempt): void {
    const rule = this.#policy.failures[kind];
    if (this.#hedge?.isFrom(from)) this.#loseHedge(this.#hedge, rule);
    else this.#fail(rule);
  }

  /** The first byte is late: asks a second engine; `Hedging` calls it. */
  hedge(): boolean {
    const hedge = this.#hedge;
    if (this.#state !== 'sent' || hedge === undefined || !this.#mayHedge(hedge)) return false;
    const tried = new Set(this.#retries.tried).add(this.#attempt.url);
    const attempt = this.#effects.pickHedge(tried);
    if (attempt === undefined) return false;
    if (this.#times.isTooLateFor(attempt)) {
      attempt.unpick();
      return false;
    }
    this.#retries.meets(this.#attempt);
    this.#retries.meets(attempt);
    hedge.sent(new Flight(attempt, this, this.#watch));
    attempt.send();
    return true;
  }

  /** The client reads more slowly than the engine writes, so that no data is read; or it has caught up. */
  clientSlow(isSlow: boolean): void {
    this.#times.isClientSlow = isSlow;
  }

  /** Reports data to the engine's progress; `AttemptWatch` calls it before `check`. */
  look(nowSeconds: number): void {
    switch (this.#state) {
      case 'sent':
        this.#flight?.waits();
        this.#hedge?.flight?.waits();
        return;
      case 'firstByte':
      case 'streaming':
        this.#flight?.streams(this.#times.hasData, this.#times.isClientSlow);
        this.#times.look(nowSeconds);
        return;
      case 'arrived':
      case 'admitted':
      case 'picked':
      case 'ended':
        return;
    }
  }

  /** Checks the deadlines; `AttemptWatch` calls it. */
  check(nowSeconds: number): void {
    switch (this.#state) {
      case 'arrived':
      case 'admitted':
        if (this.#times.isOver(nowSeconds)) this.#endLate();
        return;
      case 'sent':
        if (this.#times.isOver(nowSeconds)) this.#endLate();
        else this.#checkFirstByte(nowSeconds, this.#flight as Flight);
        return;
      case 'firstByte':
      case 'streaming':
        this.#checkStream(nowSeconds);
        return;
      case 'picked':
      case 'ended':
        return;
    }
  }

  /** A timeout has expired. The attempt in flight is abandoned. */
  timerFired(timer: AttemptTimer): void {
    switch (this.#state) {
      case 'sent':
        // Whatever has arrived of the response, the client has received nothing.
        this.#attempt.abort();
        this.#fail(this.#policy.timers.firstByte);
        return;
      case 'firstByte':
      case 'streaming':
        this.#attempt.abort();
        this.#fail(this.#policy.timers[timer]);
        return;
      case 'arrived':
      case 'admitted':
      case 'picked':
      case 'ended':
        return;
    }
  }

  /**
   * The attempt in flight has done its part, which the client does not see, and another engine will
   * respond: disaggregated prefill is over. `proceed` continues. Engines that failed before may be tried
   * again, since the part that they failed is done.
   */
  handedOver(): void {
    // Once the client has a part of a response, there is only that to go on with.
    if (this.#state !== 'sent' || this.#hasBegun) return;
    this.#hedge?.settle(false);
    this.#hedge?.drop('cancelled');
    this.#state = 'admitted';
    this.#retries.handedOver();
    this.#attempt.firstByte();
    this.#attempt.ended('completed');
  }

  /** The client has left, or the router has cut its connection because it stops. */
  cancel(): void {
    switch (this.#state) {
      case 'sent':
      case 'firstByte':
      case 'streaming':
        this.#attempt.abort();
        this.#end('cancelled', clientLeftStatus);
        return;
      case 'arrived':
      case 'admitted':
        this.#over();
        this.#effects.requestEnded('cancelled', clientLeftStatus);
        return;
      case 'picked':
      case 'ended':
        return;
    }
  }

  /** The router stops now, and the response is not complete: the client gets an error in its place. */
  stop(): void {
    switch (this.#state) {
      case 'arrived':
      case 'admitted':
      case 'sent':
      case 'firstByte':
      case 'streaming':
        this.#cutShort(stoppingStatus, 'stopping');
        return;
      case 'picked':
      case 'ended':
        return;
    }
  }

  /** Ends the request where it is: with an error if its client has nothing of a response. */
  #cutShort(status: number, cause: RefusalCause): void {
    if (this.#state === 'picked') this.#unpick();
    else if (this.#state !== 'arrived' && this.#state !== 'admitted') this.#abandon();
    if (this.#hasBegun) {
      this.#breakOff();
      return;
    }
    this.#over();
    this.#effects.requestEnded('failed', status);
    this.#effects.refuse(cause);
  }

  #abandon(): void {
    this.#attempt.abort();
    this.#attempt.ended('cancelled');
  }

  get #attempt(): EngineAttempt {
    return (this.#flight as Flight).attempt;
  }

  #checkFirstByte(
    nowSeconds: number,
    { firstByteDueSeconds, sentSeconds, isWedged }: Flight,
  ): void {
    if (nowSeconds > firstByteDueSeconds) {
      this.#effects.expired('firstByte', nowSeconds - sentSeconds);
      this.timerFired('firstByte');
    } else if (isWedged) this.#leaveWedged(nowSeconds - sentSeconds);
  }

  #checkStream(nowSeconds: number): void {
    const times = this.#times;
    if (times.isOver(nowSeconds)) {
      this.#endLate();
      return;
    }
    if (times.isClientSlow) return;
    const idleSeconds = times.idleSeconds(nowSeconds);
    const isWedged = this.#flight?.isWedged ?? false;
    if (!isWedged && !times.isIdle(idleSeconds)) return;
    this.#effects.expired(isWedged ? 'engineStall' : 'streamIdle', idleSeconds);
    this.timerFired('streamIdle');
  }

  /** No stream of the engine moves. A request that no other engine can take stays, and its own deadline decides. */
  #leaveWedged(waitedSeconds: number): void {
    const isHedged = this.#hedge?.flight !== undefined;
    if (!isHedged && !this.#pickElsewhere()) return;
    this.#effects.expired('engineStall', waitedSeconds);
    this.#attempt.abort();
    this.#attempt.ended('failed');
    if (isHedged) this.#leaveToHedge();
    else this.#reroute();
  }

  /** The response of a hedge has begun, or its engine refuses. */
  #hedgeHead(hedge: Hedge, status: number, hasBody: boolean): HeadVerdict {
    const { reroutedStatuses, busyStatuses } = this.#policy;
    if (status < redirectStatusMin) {
      if (!hasBody) return 'hold';
      hedge.settle(true);
      this.#attempt.outrun();
      this.#attempt.abort();
      this.#attempt.ended('cancelled');
      this.#flight = hedge.promote();
      return this.responseHead(status, true);
    }
    const isFailed = reroutedStatuses.has(status);
    if (isFailed && !busyStatuses.has(status)) this.#retries.charge(hedge.flight as Flight);
    hedge.flight?.attempt.abort();
    this.#endHedge(hedge, isFailed ? 'failed' : 'cancelled');
    return 'drop';
  }

  /** The engine of a hedge has failed, and its connection is gone. */
  #loseHedge(hedge: Hedge, rule: FailureRule): void {
    if (hedge.flight !== undefined) judge(hedge.flight.attempt, rule);
    if (rule.blamesRequest) this.#retries.charge(hedge.flight as Flight);
    this.#endHedge(hedge, 'failed');
  }

  #endHedge(hedge: Hedge, outcome: AttemptOutcome): void {
    if (hedge.flight !== undefined) this.#retries.leave(hedge.flight.attempt);
    hedge.failed(outcome);
  }

  /** The attempt in flight has failed, and the hedge goes on alone. @returns False without a hedge. */
  #leaveToHedge(): boolean {
    const flight = this.#hedge?.flight;
    if (flight === undefined) return false;
    this.#retries.leave(this.#attempt);
    this.#effects.rerouted(flight.attempt);
    this.#flight = this.#hedge?.promote();
    return true;
  }

  /** Whether the engine that is picked would respond after the request's time is over. */
  get #isTooLate(): boolean {
    return this.#times.isTooLateFor(this.#picked as EngineAttempt);
  }

  /** The request's time is over. No engine is to blame. */
  #endLate(): void {
    this.#effects.expired('total', 0);
    this.#cutShort(lateStatus, lateStatus);
  }

  #fail(rule: FailureRule): void {
    switch (this.#state) {
      case 'sent':
        this.#failUnseen(rule);
        return;
      case 'firstByte':
      case 'streaming':
        this.#failSeen(rule);
        return;
      case 'admitted':
        this.#over();
        this.#effects.requestEnded('failed', rule.status);
        this.#effects.refuse(rule.status);
        return;
      case 'arrived':
      case 'picked':
      case 'ended':
        return;
    }
  }

  /** The client has a part of the response: the rest may come from another engine. */
  #failSeen(rule: FailureRule): void {
    const { migrationsMax, progressChunks } = this.#policy;
    judge(this.#attempt, rule);
    const move = rule.blamesRequest ? this.#charge() : 'reroute';
    if (this.#chunks >= progressChunks) this.#retries.progressed();
    const continuation =
      rule.reroutes && migrationsMax > 0 ? this.#effects.continuation() : 'impossible';
    this.#attempt.ended('failed');
    if (continuation === 'complete') {
      this.#over();
      this.#effects.requestEnded('completed', this.#status);
      this.#effects.complete('completed');
      return;
    }
    if (continuation === 'possible') {
      if (this.#retries.mayMigrate && this.#pickElsewhere(move)) {
        this.#retries.migrated();
        this.#reroute();
        return;
      }
      this.#effects.notContinued(this.#retries.lossOf(move));
    }
    this.#breakOff();
  }

  /** The engine that was to continue the response refuses to. */
  #loseContinuation(why: ContinuationLoss): void {
    this.#attempt.abort();
    this.#attempt.ended('failed');
    this.#effects.notContinued(why);
    this.#breakOff();
  }

  /** The response ends where it is. */
  #breakOff(): void {
    this.#over();
    this.#effects.requestEnded('failed', this.#status);
    this.#effects.breakOff();
  }

  /** The client has received nothing from the attempt that failed. */
  #failUnseen(rule: FailureRule): void {
    judge(this.#attempt, rule);
    const move = rule.blamesRequest ? this.#charge() : this.#moveFromRefusal;
    this.#attempt.ended('failed');
    if (this.#leaveToHedge()) return;
    if (rule.reroutes && this.#pickElsewhere(move)) {
      this.#reroute();
      return;
    }
    if (this.#hasBegun) {
      this.#effects.notContinued(this.#retries.lossOf(move));
      this.#breakOff();
      return;
    }
    this.#over();
    this.#effects.requestEnded('failed', rule.status);
    this.#effects.refuse(rule.status);
  }

  /** The engine failed after it had received the request. */
  #charge(): Move {
    return this.#retries.charge(this.#flight as Flight);
  }

  /** How the request leaves an engine that refused it, so that nothing can have broken on it. */
  get #moveFromRefusal(): Move {
    return this.#hasBegun ? 'substitute' : 'reroute';
  }

  /** @returns Whether another engine is picked for a request that this attempt's engine failed. */
  #pickElsewhere(move: Move = 'reroute'): boolean {
    if (!this.#retries.mayRetry(move)) return false;
    this.#retries.leave(this.#attempt);
    const state = this.#state;
    if (!this.#pick()) return false;
    if (this.#isTooLate) {
      this.#unpick();
      this.#state = state;
      return false;
    }
    this.#retries.retried(move);
    return true;
  }

  /** Replaces the attempt in flight by the one that is picked. */
  #moveOn(): void {
    this.#attempt.abort();
    this.#attempt.ended('failed');
    this.#reroute();
  }

  /** Called last in its turn, like `send`. */
  #reroute(): void {
    this.#effects.rerouted(this.#picked as EngineAttempt);
    this.#send();
  }

  #pick(): boolean {
    this.#picked = this.#effects.pick(this.#retries.tried);
    if (this.#picked === undefined) return false;
    this.#state = 'picked';
    return true;
  }

  #unpick(): void {
    this.#picked?.unpick();
    this.#picked = undefined;
  }

  /** Called last in its turn, because the driver may give the next input from within. */
  #send(): void {
    const attempt = this.#picked as EngineAttempt;
    this.#state = 'sent';
    this.#chunks = 0;
    this.#picked = undefined;
    this.#flight = new Flight(attempt, this, this.#watch);
    this.#hedge?.begin(this, attempt, this.#mayHedge(this.#hedge));
    attempt.send();
  }

  /** A response that has begun is not hedged, nor a request that would break too many engines with two at once. */
  #mayHedge({ isSpent }: Hedge): boolean {
    return !isSpent && !this.#hasBegun && this.#retries.mayHedge;
  }

  #refuseWithoutEngine(): void {
    this.#over();
    this.#effects.requestEnded('failed', undefined);
    this.#effects.refuse('noEngine');
  }

  #over(): void {
    this.#state = 'ended';
    this.#watch?.delete(this);
    this.#hedge?.settle(false);
    this.#hedge?.drop('cancelled');
  }

  #end(outcome: AttemptOutcome, status: number): void {
    this.#over();
    this.#attempt.ended(outcome);
    this.#effects.requestEnded(outcome, status);
  }
}

/** What a failure means for the engine. */
function judge(attempt: EngineAttempt, rule: FailureRule): void {
  if (rule.engine === 'out') attempt.engineOut();
  else if (rule.engine === 'suspected') attempt.engineSuspected();
}
