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
  stoppingStatus,
} from './attempt-state.ts';
import { type AttemptWatch, type ClientPatience, endlessPatience } from './deadlines.ts';
import type { HedgePlan } from './hedging/hedge.ts';
import type { HedgedRequest } from './hedging/hedging.ts';
import { RequestAttempts } from './request-attempts.ts';
import { type DeadlineRequest, RequestDeadlines } from './request-deadlines.ts';
import { RequestWait } from './request-wait.ts';
import { type Move, RetryAccount } from './retry-account.ts';
import type { RetryBudget } from './retry-budget.ts';
import {
  type AttemptDeadline,
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
export class AttemptMachine implements DeadlineRequest, HedgedRequest {
  readonly #effects: AttemptEffects;
  readonly #policy: RetryPolicy;
  readonly #retries: RetryAccount;
  readonly #attempts: RequestAttempts;
  readonly #deadlines: RequestDeadlines;
  readonly #watch: AttemptWatch | undefined;
  /** Set in the state `waiting`. */
  #wait: RequestWait | undefined = undefined;
  #state: AttemptState = 'arrived';
  /** Status of the response that has begun. */
  #status = 0;
  /** Whether the client has the head of the response, so that no engine's response can take its place. */
  #hasBegun = false;
  /** Chunks of the body of the attempt in flight. */
  #chunks = 0;

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
    const retries = new RetryAccount(policy, budget);
    this.#retries = retries;
    this.#watch = watch;
    this.#attempts = new RequestAttempts(this, { effects, policy, retries, watch, hedges });
    this.#deadlines = new RequestDeadlines(this, this.#attempts, watch, patience);
  }

  get state(): AttemptState {
    return this.#state;
  }

  /** The request may be sent to an engine: at once, or when its turn in the admission queue has come. */
  admit(): void {
    if (this.#state !== 'arrived') return;
    this.#state = 'admitted';
    this.#attempts.admitted();
    this.proceed();
  }

  /** The request is not admitted. @param status Response to the client. */
  reject(status: RejectionStatus): void {
    if (this.#state !== 'arrived') return;
    this.#refuse(status, 'rejected');
  }

  /** Picks an engine and sends the request there. Drivers call it only after `handedOver`. */
  proceed(): void {
    if (this.#state !== 'admitted') return;
    const attempt = this.#attempts.pick();
    if (attempt === undefined) {
      this.#waitOr(undefined, () => this.#refuse(undefined, 'noEngine'));
      return;
    }
    this.#state = 'picked';
    if (this.#deadlines.isTooLateFor(attempt)) this.#endLate();
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
    if (this.#attempts.isFromHedge(from)) {
      const verdict = this.#attempts.hedgeHead(status, hasBody);
      return verdict === 'pass' ? this.responseHead(status, true) : verdict;
    }
    const { reroutedStatuses, busyStatuses, absentStatuses } = this.#policy;
    const isAbsent = absentStatuses.has(status);
    const isRerouted = isAbsent || reroutedStatuses.has(status);
    if (this.#hasBegun && status !== this.#status && !isRerouted) {
      this.#loseContinuation('refused');
      return 'drop';
    }
    if (isRerouted) {
      if (isAbsent) this.#attempts.current.lacksModel();
      const isRefused = isAbsent || busyStatuses.has(status);
      const move = isRefused ? this.#moveFromRefusal(isAbsent) : this.#attempts.charge();
      const outcome = isAbsent ? 'cancelled' : 'failed';
      if (this.#attempts.hedgeFlight !== undefined) {
        this.#attempts.abandon(outcome);
        this.#attempts.leaveToHedge();
        return 'drop';
      }
      if (this.#pickElsewhere(move)) {
        // The rest of this response is not needed.
        this.#attempts.abandon(outcome);
        this.#reroute();
        return 'drop';
      }
      if (this.#hasBegun) {
        this.#attempts.abandon(outcome);
        this.#waitOr(move, () => this.#notContinued(move));
        return 'drop';
      }
    } else if (!hasBody) return 'hold';
    this.#attempts.dropHedge(status < errorStatusMin, 'lost');
    this.#status = status;
    this.#hasBegun = true;
    this.#deadlines.began();
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
        this.#deadlines.hasData = true;
        this.#count(chunks);
        return true;
      case 'firstByte':
        this.#state = 'streaming';
        this.#deadlines.hasData = true;
        if (this.#status < errorStatusMin) this.#attempts.current.firstByte();
        this.#count(chunks);
        return true;
      case 'arrived':
      case 'admitted':
      case 'waiting':
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
    if (this.#status < errorStatusMin) this.#attempts.current.progressed();
  }

  /** The response is complete. @param isError Whether its body reports a failure, such as an error event. */
  responseEnd(isError: boolean): void {
    if (this.#state !== 'firstByte' && this.#state !== 'streaming') return;
    const isBusy = this.#policy.busyStatuses.has(this.#status);
    const isFailed = isError || isBusy || this.#status >= failedStatusMin;
    const outcome = isFailed ? 'failed' : 'completed';
    if (outcome === 'completed' && this.#status < errorStatusMin) {
      this.#attempts.flight?.completed();
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
    if (this.#attempts.isFromHedge(from)) this.#attempts.loseHedge(rule);
    else this.#fail(rule);
  }

  /** The first byte is late: asks a second engine; `Hedging` calls it. */
  hedge(): boolean {
    // A response that has begun is not hedged.
    if (this.#state !== 'sent' || this.#hasBegun) return false;
    return this.#attempts.sendHedge(this.#deadlines);
  }

  /** The client reads more slowly than the engine writes, so that no data is read; or it has caught up. */
  clientSlow(isSlow: boolean): void {
    this.#deadlines.isClientSlow = isSlow;
  }

  /** A deadline has passed; `RequestDeadlines` calls it. */
  deadlinePassed(deadline: AttemptDeadline, seconds: number): void {
    switch (deadline) {
      case 'total':
        this.#endLate();
        return;
      case 'engineStall':
        if (this.#state === 'sent') {
          this.#leaveWedged(seconds);
          return;
        }
        this.#effects.expired(deadline, seconds);
        this.timerFired('streamIdle');
        return;
      case 'firstByte':
      case 'streamIdle':
        this.#effects.expired(deadline, seconds);
        this.timerFired(deadline);
        return;
    }
  }

  /** A timeout has expired. The attempt in flight is abandoned. */
  timerFired(timer: AttemptTimer): void {
    switch (this.#state) {
      case 'sent':
        // Whatever has arrived of the response, the client has received nothing.
        this.#attempts.current.abort();
        this.#fail(this.#policy.timers.firstByte);
        return;
      case 'firstByte':
      case 'streaming':
        this.#attempts.current.abort();
        this.#fail(this.#policy.timers[timer]);
        return;
      case 'arrived':
      case 'admitted':
      case 'waiting':
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
    this.#attempts.dropHedge(false, 'cancelled');
    this.#state = 'admitted';
    this.#retries.handedOver();
    this.#attempts.current.firstByte();
    this.#attempts.current.ended('completed');
  }

  /** The client has left, or the router has cut its connection because it stops. */
  cancel(): void {
    switch (this.#state) {
      case 'sent':
      case 'firstByte':
      case 'streaming':
        this.#attempts.current.abort();
        this.#end('cancelled', clientLeftStatus);
        return;
      case 'arrived':
      case 'admitted':
      case 'waiting':
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
      case 'waiting':
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
    if (this.#state === 'picked') this.#attempts.unpick();
    else if (!isIdle(this.#state)) this.#attempts.abandon('cancelled');
    if (this.#hasBegun) {
      this.#breakOff();
      return;
    }
    this.#refuse(status, cause);
  }

  /** No stream of the engine moves. A request that no other engine can take stays, and its own deadline decides. */
  #leaveWedged(waitedSeconds: number): void {
    if (!this.#policy.timers.firstByte.reroutes) return;
    const isHedged = this.#attempts.hedgeFlight !== undefined;
    if (!isHedged && !this.#pickElsewhere('reroute')) return;
    this.#effects.expired('engineStall', waitedSeconds);
    this.#attempts.abandon('failed');
    if (isHedged) this.#attempts.leaveToHedge();
    else this.#reroute();
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
        this.#refuse(rule.status, rule.status);
        return;
      case 'arrived':
      case 'waiting':
      case 'picked':
      case 'ended':
        return;
    }
  }

  /** The client has a part of the response: the rest may come from another engine. */
  #failSeen(rule: FailureRule): void {
    const { migrationsMax, progressChunks } = this.#policy;
    this.#attempts.judge(rule);
    const move = rule.blamesRequest ? this.#attempts.charge() : 'reroute';
    if (this.#chunks >= progressChunks) this.#retries.progressed();
    const continuation =
      rule.reroutes && migrationsMax > 0 ? this.#effects.continuation() : 'impossible';
    this.#attempts.current.ended('failed');
    if (continuation === 'complete') {
      this.#over();
      this.#effects.requestEnded('completed', this.#status);
      this.#effects.complete('completed');
      return;
    }
    if (continuation === 'possible') {
      if (!this.#retries.mayMigrate) this.#notContinued(move);
      else if (this.#pickElsewhere(move)) {
        this.#retries.migrated();
        this.#reroute();
      } else this.#waitOr(move, () => this.#notContinued(move));
      return;
    }
    this.#breakOff();
  }

  /** No engine goes on with a response that could go on. */
  #notContinued(move: Move): void {
    this.#effects.notContinued(this.#retries.lossOf(move));
    this.#breakOff();
  }

  /**
   * No engine may get the request now. It waits for one, or gives up.
   *
   * @param move How it would move; undefined if no engine has had it.
   */
  #waitOr(move: Move | undefined, giveUp: () => void): void {
    const secondsWithoutEngine = () => this.#effects.secondsWithoutEngine();
    const wait =
      this.#watch &&
      new RequestWait(this.#watch, this.#retries, secondsWithoutEngine, move, giveUp);
    if (wait?.begin() !== true) {
      giveUp();
      return;
    }
    this.#wait = wait;
    this.#state = 'waiting';
  }

  /** Time has passed while the request waits; `RequestDeadlines` calls it. */
  waited(): void {
    const wait = this.#wait as RequestWait;
    const verdict = wait.check();
    if (verdict === 'waits') return;
    const { move, giveUp } = wait;
    this.#endWait();
    if (verdict === 'over') giveUp();
    else if (move !== undefined && this.#attempts.pickAgain(move, this.#deadlines)) {
      this.#state = 'picked';
      if (this.#hasBegun) this.#retries.migrated();
      this.#reroute();
    } else if (move !== undefined || this.#attempts.pick() === undefined) giveUp();
    else {
      this.#state = 'picked';
      this.#send();
    }
  }

  #endWait(): void {
    this.#wait?.end();
    this.#wait = undefined;
  }

  /** The engine that was to continue the response refuses to. */
  #loseContinuation(why: ContinuationLoss): void {
    this.#attempts.abandon('failed');
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
    this.#attempts.judge(rule);
    const move = this.#moveAfter(rule);
    this.#attempts.current.ended('failed');
    if (this.#attempts.leaveToHedge()) return;
    if (rule.reroutes && this.#pickElsewhere(move)) {
      this.#reroute();
      return;
    }
    const giveUp = () => {
      if (this.#hasBegun) this.#notContinued(move);
      else this.#refuse(rule.status, rule.status);
    };
    if (rule.reroutes) this.#waitOr(move, giveUp);
    else giveUp();
  }

  /** How the request leaves an engine that failed it before the client had anything from it. */
  #moveAfter({ blamesRequest, isRefusal }: FailureRule): Move {
    if (blamesRequest) return this.#attempts.charge();
    return this.#moveFromRefusal(isRefusal === true);
  }

  /**
   * How the request leaves an engine that refused it, so that nothing can have broken on it.
   *
   * @param isAway Whether the engine could not be reached, or does not have the model.
   */
  #moveFromRefusal(isAway: boolean): Move {
    return isAway || this.#hasBegun ? 'substitute' : 'reroute';
  }

  /** @returns Whether another engine is picked for a request that this attempt's engine failed. */
  #pickElsewhere(move: Move): boolean {
    if (!this.#attempts.pickElsewhere(move, this.#deadlines)) return false;
    this.#state = 'picked';
    return true;
  }

  /** Called last in its turn, like `#send`. */
  #reroute(): void {
    this.#attempts.rerouted();
    this.#send();
  }

  /** Called last in its turn, because the driver may give the next input from within. */
  #send(): void {
    this.#state = 'sent';
    this.#chunks = 0;
    this.#attempts.send(!this.#hasBegun);
  }

  /** The client has nothing of a response. @param status See `AttemptEffects.requestEnded`. */
  #refuse(status: number | undefined, cause: RefusalCause): void {
    this.#over();
    this.#effects.requestEnded('failed', status);
    this.#effects.refuse(cause);
  }

  #over(): void {
    this.#state = 'ended';
    this.#endWait();
    this.#deadlines.stop();
    this.#attempts.dropHedge(false, 'cancelled');
  }

  #end(outcome: AttemptOutcome, status: number): void {
    this.#over();
    this.#attempts.current.ended(outcome);
    this.#effects.requestEnded(outcome, status);
  }
}

/** Whether the request has no attempt. */
function isIdle(state: AttemptState): boolean {
  return state === 'arrived' || state === 'admitted' || state === 'waiting';
}
