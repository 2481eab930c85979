// The deadlines of one request, in seconds of the watch's clock.
import type { EngineAttempt } from './attempt-effects.ts';
import type { AttemptState } from './attempt-state.ts';
import type { AttemptWatch, ClientPatience, Watched } from './deadlines.ts';
import type { Flight } from './flight.ts';
import type { RequestAttempts } from './request-attempts.ts';
import type { AttemptDeadline } from './retry-policy.ts';

/** The request as its deadlines see it. */
export interface DeadlineRequest {
  readonly state: AttemptState;
  /** @param seconds How long the router has waited. */
  deadlinePassed(deadline: AttemptDeadline, seconds: number): void;
  /** Time has passed in the state `waiting`. */
  waited(): void;
}

/** Follows when data arrives, and reports the first deadline that has passed; nothing is done per token. */
export class RequestDeadlines implements Watched {
  // Links of the watch's list.
  previous: Watched | undefined = undefined;
  next: Watched | undefined = undefined;
  /** Whether data has arrived since the last check. */
  hasData = false;
  /** Whether the client reads more slowly than the engine writes, so that no data is read. */
  isClientSlow = false;
  readonly #request: DeadlineRequest;
  readonly #attempts: RequestAttempts;
  readonly #watch: AttemptWatch | undefined;
  /** When the request has to be over, and when its client gives up unless the response has begun. */
  #endSeconds = Number.POSITIVE_INFINITY;
  #patienceEndSeconds = Number.POSITIVE_INFINITY;
  /** When data was last seen by a check. */
  #dataSeconds = 0;

  /** @param watch Undefined for a request without deadlines. */
  constructor(
    request: DeadlineRequest,
    attempts: RequestAttempts,
    watch: AttemptWatch | undefined,
    patience: ClientPatience,
  ) {
    this.#request = request;
    this.#attempts = attempts;
    this.#watch = watch;
    if (watch === undefined) return;
    const { nowSeconds, settings } = watch;
    this.#endSeconds = nowSeconds + Math.min(settings.totalSeconds, patience.totalSeconds);
    this.#patienceEndSeconds = Math.min(this.#endSeconds, nowSeconds + patience.firstByteSeconds);
    watch.add(this);
  }

  /** The request is over. */
  stop(): void {
    this.#watch?.delete(this);
  }

  /** The response has begun. */
  began(): void {
    this.#patienceEndSeconds = this.#endSeconds;
    this.hasData = true;
  }

  /** Whether an engine would respond after the request's time is over. */
  isTooLateFor(attempt: EngineAttempt): boolean {
    if (this.#watch === undefined || this.#patienceEndSeconds === Number.POSITIVE_INFINITY)
      return false;
    return this.#isOver(this.#watch.nowSeconds + (attempt.predictedSeconds ?? 0));
  }

  /** Reports data to the engine's progress; `AttemptWatch` calls it before `check`. */
  look(nowSeconds: number): void {
    switch (this.#request.state) {
      case 'sent':
        this.#attempts.flight?.waits();
        this.#attempts.hedgeFlight?.waits();
        return;
      case 'firstByte':
      case 'streaming':
        this.#attempts.flight?.streams(this.hasData, this.isClientSlow);
        if (this.hasData || this.isClientSlow) this.#dataSeconds = nowSeconds;
        this.hasData = false;
        return;
      case 'arrived':
      case 'admitted':
      case 'waiting':
      case 'picked':
      case 'ended':
        return;
    }
  }

  /** Checks the deadlines; `AttemptWatch` calls it. */
  check(nowSeconds: number): void {
    switch (this.#request.state) {
      case 'arrived':
      case 'admitted':
        this.#checkEnd(nowSeconds);
        return;
      case 'waiting':
        if (!this.#checkEnd(nowSeconds)) this.#request.waited();
        return;
      case 'sent':
        if (!this.#checkEnd(nowSeconds))
          this.#checkFirstByte(nowSeconds, this.#attempts.flight as Flight);
        return;
      case 'firstByte':
      case 'streaming':
        if (!this.#checkEnd(nowSeconds)) this.#checkStream(nowSeconds);
        return;
      case 'picked':
      case 'ended':
        return;
    }
  }

  /** @returns Whether the request's time is over. */
  #checkEnd(nowSeconds: number): boolean {
    const isOver = this.#isOver(nowSeconds);
    if (isOver) this.#request.deadlinePassed('total', 0);
    return isOver;
  }

  #checkFirstByte(
    nowSeconds: number,
    { firstByteDueSeconds, sentSeconds, isWedged }: Flight,
  ): void {
    const waitedSeconds = nowSeconds - sentSeconds;
    if (nowSeconds > firstByteDueSeconds) this.#request.deadlinePassed('firstByte', waitedSeconds);
    else if (isWedged) this.#request.deadlinePassed('engineStall', waitedSeconds);
  }

  #checkStream(nowSeconds: number): void {
    if (this.isClientSlow) return;
    const idleSeconds = nowSeconds - this.#dataSeconds;
    const isIdle =
      idleSeconds > (this.#watch?.settings.streamIdleSeconds ?? Number.POSITIVE_INFINITY);
    if (this.#attempts.flight?.isWedged) this.#request.deadlinePassed('engineStall', idleSeconds);
    else if (isIdle) this.#request.deadlinePassed('streamIdle', idleSeconds);
  }

  /** Until the response has begun, its client's patience counts too. */
  #isOver(nowSeconds: number): boolean {
    return nowSeconds >= this.#patienceEndSeconds;
  }
}
