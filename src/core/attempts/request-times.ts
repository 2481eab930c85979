// The deadlines of one request, in seconds of the watch's clock.
import type { EngineAttempt } from './attempt-effects.ts';
import type { AttemptWatch, ClientPatience } from './deadlines.ts';

export class RequestTimes {
  /** Whether data has arrived since the last check. */
  hasData = false;
  /** Whether the client reads more slowly than the engine writes. */
  isClientSlow = false;
  readonly #watch: AttemptWatch | undefined;
  /** When the request has to be over, and when its client gives up unless the response has begun. */
  #endSeconds = Number.POSITIVE_INFINITY;
  #patienceEndSeconds = Number.POSITIVE_INFINITY;
  /** When data was last seen by a check. */
  #dataSeconds = 0;

  /** @param watch Undefined for a request without deadlines. */
  constructor(watch: AttemptWatch | undefined, patience: ClientPatience) {
    this.#watch = watch;
    if (watch === undefined) return;
    const { nowSeconds, settings } = watch;
    this.#endSeconds = nowSeconds + Math.min(settings.totalSeconds, patience.totalSeconds);
    this.#patienceEndSeconds = Math.min(this.#endSeconds, nowSeconds + patience.firstByteSeconds);
  }

  /** Whether the time for the request is over; until its response has begun, its client's patience counts too. */
  isOver(nowSeconds: number): boolean {
    return nowSeconds >= this.#patienceEndSeconds;
  }

  /** Whether an engine would respond after the request's time is over. */
  isTooLateFor(attempt: EngineAttempt): boolean {
    if (this.#watch === undefined || this.#patienceEndSeconds === Number.POSITIVE_INFINITY)
      return false;
    return this.isOver(this.#watch.nowSeconds + (attempt.predictedSeconds ?? 0));
  }

  /** The response has begun. */
  began(): void {
    this.#patienceEndSeconds = this.#endSeconds;
    this.hasData = true;
  }

  /** A check looks for data since the last one. */
  look(nowSeconds: number): void {
    if (this.hasData || this.isClientSlow) this.#dataSeconds = nowSeconds;
    this.hasData = false;
  }

  /** Time without data on the stream; 0 while its client is slow. */
  idleSeconds(nowSeconds: number): number {
    return this.isClientSlow ? 0 : nowSeconds - this.#dataSeconds;
  }

  /** Whether a stream without data for so long is left. */
  isIdle(idleSeconds: number): boolean {
    return idleSeconds > (this.#watch?.settings.streamIdleSeconds ?? Number.POSITIVE_INFINITY);
  }
}
