// One request from its arrival to its end, as a state machine: events in, effects out. It has no
// socket, clock or engine, so the router and the simulator run this same code.
import type {
  AttemptEffects,
  AttemptOutcome,
  ContinuationLoss,
  EngineAttempt,
  RejectionStatus,
} from './attempt-effects.ts';
import {
  type AttemptWatch,
  type ClientPatience,
  endlessPatience,
  type Watched,
} from './deadlines.ts';
import { Flight } from './flight.ts';
import type { RetryBudget } from './retry-budget.ts';
import {
  type AttemptFailureKind,
  type AttemptTimer,
  defaultRetryPolicy,
  type FailureRule,
  type RetryPolicy,
} from './retry-policy.ts';

/**
 * - `arrived`: not admitted yet.
 * - `admitted`: may be sent to an engine, and has no attempt in flight.
 * - `picked`: an engine is picked, nothing is sent. Lasts no longer than the turn of an input, in which no
 *   other input is handled.
 * - `sent`: an attempt is in flight, and the client has received nothing, though a head may be held: the
 *   only state to retry from.
 * - `firstByte`: the response has begun, none of its body has arrived.
 * - `streaming`: the body is on its way to the client.
 * - `ended`.
 */
export type AttemptState =
  | 'arrived'
  | 'admitted'
  | 'picked'
  | 'sent'
  | 'firstByte'
  | 'streaming'
  | 'ended';

/**
 * What to do with the head of a response. `pass`: it goes to the client. `hold`: keep it, and ask again
 * when the first of the body arrives. `drop`: the request has moved to another engine.
 */
export type HeadVerdict = 'pass' | 'hold' | 'drop';

/**
 * How a request moves. `substitute`: an engine that was to continue a response refused it, and another one takes its
 * place: a response that has begun is not lost to that, and `RetryPolicy.migrationsMax` is the limit.
 */
type Move = 'reroute' | 'substitute';

/** Lowest status of a response with which the request counts as failed. */
const failedStatusMin = 500;
/** Lowest status of a response that says nothing about how fast the engine computes. */
const errorStatusMin = 400;
/** Status of a request whose time is over before its response begins. */
const lateStatus = 504;
/** nginx's status for a client that left before its response was complete. */
export const clientLeftStatus = 499;
/** Status of the response to a request that a stopping router has not sent to its end. */
const stoppingStatus = 503;

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
export class AttemptMachine implements Watched {
  // Links of the watch's list.
  previous: Watched | undefined = undefined;
  next: Watched | undefined = undefined;
  readonly #effects: AttemptEffects;
  readonly #policy: RetryPolicy;
  readonly #budget: RetryBudget | undefined;
  #state: AttemptState = 'arrived';
  /** The next attempt, until it is sent. */
  #picked: EngineAttempt | undefined = undefined;
  /** The attempt in flight, or the last one. */
  #flight: Flight | undefined = undefined;
  /** Engines that failed this part of the request, and all that failed any of it. */
  #tried: Set<string> | undefined = undefined;
  #met: Set<string> | undefined = undefined;
  #reroutes = 0;
  #substitutes = 0;
  /** Engines that failed after they had received the request, and were not failing already. */
  #brokenEngines = 0;
  /** Status of the response that has begun. */
  #status = 0;
  /** Whether the client has the head of the response, so that no engine's response can take its place. */
  #hasBegun = false;
  #migrations = 0;
  /** Chunks of the body of the attempt in flight. */
  #chunks = 0;
  // Deadlines, all in seconds of the watch's clock.
  readonly #watch: AttemptWatch | undefined;
  /** When the request has to be over, and when its client gives up unless the response has begun. */
  #endSeconds = Number.POSITIVE_INFINITY;
  #patienceEndSeconds = Number.POSITIVE_INFINITY;
  /** When data was last seen by a check. */
  #dataSeconds = 0;
  /** Whether data has arrived since the last check. */
  #hasData = false;
  #isClientSlow = false;

  /**
   * @param budget Shared by the requests of a router; undefined allows every retry of the policy.
   * @param watch Checks the deadlines of the router's requests; undefined for none.
   */
  constructor(
    effects: AttemptEffects,
    policy: RetryPolicy = defaultRetryPolicy,
    budget?: RetryBudget,
    watch?: AttemptWatch,
    patience: ClientPatience = endlessPatience,
  ) {
    this.#effects = effects;
    this.#policy = policy;
    this.#budget = budget;
    this.#watch = watch;
    if (watch === undefined) return;
    const { nowSeconds, settings } = watch;
    this.#endSeconds = nowSeconds + Math.min(settings.totalSeconds, patience.totalSeconds);
    this.#patienceEndSeconds = Math.min(this.#endSeconds, nowSeconds + patience.firstByteSeconds);
    watch.add(this);
  }

  get state(): AttemptState {
    return this.#state;
  }

  /** The request may be sent to an engine: at once, or when its turn in the admission queue has come. */
  admit(): void {
    if (this.#state !== 'arrived') return;
    this.#state = 'admitted';
    this.#budget?.deposit();
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
    else if (this.#isTooLate()) this.#endLate();
    else this.#send();
  }

  /**
   * The head of the engine's response has arrived, or the first of its body after a head that was held.
   *
   * @param hasBody Whether a part of the body, or its end, is there. vLLM sends the head of a stream before
   *   it computes the prompt, so a head alone is no sign that a response will come.
   */
  responseHead(status: number, hasBody: boolean): HeadVerdict {
    if (this.#state !== 'sent') return 'drop';
    const { reroutedStatuses, busyStatuses } = this.#policy;
    if (this.#hasBegun && status !== this.#status && !reroutedStatuses.has(status)) {
      this.#loseContinuation('refused');
      return 'drop';
    }
    if (reroutedStatuses.has(status)) {
      const isBusy = busyStatuses.has(status);
      if (!isBusy) this.#charge();
      const move = this.#moveAfter(isBusy);
      if (this.#pickElsewhere(move)) {
        // The rest of this response is not needed.
        this.#moveOn();
        return 'drop';
      }
      if (this.#hasBegun) {
        this.#loseContinuation(this.#lossOf(move));
        return 'drop';
      }
    } else if (!hasBody) return 'hold';
    this.#status = status;
    this.#hasBegun = true;
    this.#patienceEndSeconds = this.#endSeconds;
    this.#state = 'firstByte';
    this.#hasData = true;
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
        this.#hasData = true;
        this.#count(chunks);
        return true;
      case 'firstByte':
        this.#state = 'streaming';
        this.#hasData = true;
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
   */
  attemptFailed(kind: AttemptFailureKind): void {
    this.#fail(this.#policy.failures[kind]);
  }

  /** The client reads more slowly than the engine writes, so that no data is read; or it has caught up. */
  clientSlow(isSlow: boolean): void {
    this.#isClientSlow = isSlow;
  }

  /** Reports data to the engine's progress; `AttemptWatch` calls it before `check`. */
  look(nowSeconds: number): void {
    switch (this.#state) {
      case 'sent':
        this.#flight?.waits();
        return;
      case 'firstByte':
      case 'streaming':
        this.#flight?.streams(this.#hasData, this.#isClientSlow);
        if (this.#hasData || this.#isClientSlow) this.#dataSeconds = nowSeconds;
        this.#hasData = false;
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
        if (nowSeconds >= this.#patienceEndSeconds) this.#endLate();
        return;
      case 'sent':
        if (nowSeconds >= this.#patienceEndSeconds) this.#endLate();
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
    this.#state = 'admitted';
    this.#tried = undefined;
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
        if (this.#state === 'sent') this.#abandon();
        this.#over();
        if (this.#hasBegun) {
          this.#effects.requestEnded('failed', this.#status);
          this.#effects.breakOff();
          return;
        }
        this.#effects.requestEnded('failed', stoppingStatus);
        this.#effects.refuse('stopping');
        return;
      case 'firstByte':
      case 'streaming':
        this.#abandon();
        this.#over();
        this.#effects.requestEnded('failed', this.#status);
        this.#effects.breakOff();
        return;
      case 'picked':
      case 'ended':
        return;
    }
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
    if (nowSeconds >= this.#endSeconds) {
      this.#endLate();
      return;
    }
    if (this.#isClientSlow) return;
    const idleSeconds = nowSeconds - this.#dataSeconds;
    const isWedged = this.#flight?.isWedged ?? false;
    if (!isWedged && idleSeconds <= (this.#watch as AttemptWatch).settings.streamIdleSeconds)
      return;
    this.#effects.expired(isWedged ? 'engineStall' : 'streamIdle', idleSeconds);
    this.timerFired('streamIdle');
  }

  /** No stream of the engine moves. A request that no other engine can take stays, and its own deadline decides. */
  #leaveWedged(waitedSeconds: number): void {
    if (!this.#pickElsewhere()) return;
    this.#effects.expired('engineStall', waitedSeconds);
    this.#moveOn();
  }

  /** Whether the engine that is picked would respond after the request's time is over. */
  #isTooLate(): boolean {
    if (this.#patienceEndSeconds === Number.POSITIVE_INFINITY) return false;
    const { nowSeconds } = this.#watch as AttemptWatch;
    const predictedSeconds = this.#picked?.predictedSeconds ?? 0;
    return nowSeconds + predictedSeconds >= this.#patienceEndSeconds;
  }

  /** The request's time is over. No engine is to blame. */
  #endLate(): void {
    const state = this.#state;
    this.#over();
    this.#effects.expired('total', 0);
    switch (state) {
      case 'firstByte':
      case 'streaming':
        this.#abandon();
        this.#effects.requestEnded('failed', this.#status);
        this.#effects.breakOff();
        return;
      case 'sent':
        this.#abandon();
        if (!this.#hasBegun) break;
        this.#effects.requestEnded('failed', this.#status);
        this.#effects.breakOff();
        return;
      case 'picked':
        this.#unpick();
        break;
      default:
    }
    this.#effects.requestEnded('failed', lateStatus);
    this.#effects.refuse(lateStatus);
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
    this.#judge(rule);
    if (this.#chunks >= progressChunks) {
      if (rule.blamesRequest) this.#charge();
      this.#reroutes = 0;
      this.#brokenEngines = 0;
      this.#tried = undefined;
    } else if (rule.blamesRequest) this.#charge();
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
      if (this.#migrations < migrationsMax && this.#pickElsewhere()) {
        this.#migrations++;
        this.#reroute();
        return;
      }
      this.#effects.notContinued(this.#lossOf());
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

  #lossOf(move: Move = 'reroute'): ContinuationLoss {
    const { migrationsMax } = this.#policy;
    return this.#migrations >= migrationsMax || !this.#mayRetry(move) ? 'retries' : 'engines';
  }

  /** The response ends where it is. */
  #breakOff(): void {
    this.#over();
    this.#effects.requestEnded('failed', this.#status);
    this.#effects.breakOff();
  }

  /** The client has received nothing from the attempt that failed. */
  #failUnseen(rule: FailureRule): void {
    this.#judge(rule);
    if (rule.blamesRequest) this.#charge();
    this.#attempt.ended('failed');
    const move = this.#moveAfter(!rule.blamesRequest);
    if (rule.reroutes && this.#pickElsewhere(move)) {
      this.#reroute();
      return;
    }
    if (this.#hasBegun) {
      this.#effects.notContinued(this.#lossOf(move));
      this.#breakOff();
      return;
    }
    this.#over();
    this.#effects.requestEnded('failed', rule.status);
    this.#effects.refuse(rule.status);
  }

  /** The engine failed after it had received the request. */
  #charge(): void {
    if (this.#flight?.broke(this.#meets())) this.#brokenEngines++;
  }

  /** Remembers the engine of the attempt in flight. @returns All engines that are remembered. */
  #meets(): ReadonlySet<string> {
    this.#met ??= new Set();
    return this.#met.add(this.#attempt.url);
  }

  #judge(rule: FailureRule): void {
    if (rule.engine === 'out') this.#attempt.engineOut();
    else if (rule.engine === 'suspected') this.#attempt.engineSuspected();
  }

  /** @param isRefused Whether the engine refused the request, so that nothing can have broken on it. */
  #moveAfter(isRefused: boolean): Move {
    return isRefused && this.#hasBegun ? 'substitute' : 'reroute';
  }

  #mayRetry(move: Move): boolean {
    const { reroutesMax, brokenEnginesMax, migrationsMax } = this.#policy;
    if (this.#brokenEngines >= brokenEnginesMax) return false;
    if (move === 'reroute' && this.#reroutes >= reroutesMax) return false;
    if (move === 'substitute' && this.#substitutes >= migrationsMax) return false;
    return this.#budget?.hasBalance !== false;
  }

  /** @returns Whether another engine is picked for a request that this attempt's engine failed. */
  #pickElsewhere(move: Move = 'reroute'): boolean {
    if (!this.#mayRetry(move)) return false;
    this.#tried ??= new Set();
    this.#tried.add(this.#attempt.url);
    this.#meets();
    const state = this.#state;
    if (!this.#pick()) return false;
    if (this.#isTooLate()) {
      this.#unpick();
      this.#state = state;
      return false;
    }
    this.#budget?.withdraw();
    if (move === 'substitute') this.#substitutes++;
    else this.#reroutes++;
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
    this.#picked = this.#effects.pick(this.#tried);
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
    attempt.send();
  }

  #refuseWithoutEngine(): void {
    this.#over();
    this.#effects.requestEnded('failed', undefined);
    this.#effects.refuse('noEngine');
  }

  #over(): void {
    this.#state = 'ended';
    this.#watch?.delete(this);
  }

  #end(outcome: AttemptOutcome, status: number): void {
    this.#over();
    this.#attempt.ended(outcome);
    this.#effects.requestEnded(outcome, status);
  }
}
