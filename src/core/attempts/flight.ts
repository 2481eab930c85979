// An attempt that has been sent, as the deadlines see it.
import type { EngineAttempt } from './attempt-effects.ts';
import { type AttemptWatch, firstByteSeconds } from './deadlines.ts';
import type { EngineProgress } from './engine-progress.ts';
import type { FailedRequest, FailureStreak } from './failing-engines.ts';

/**
 * What may be to blame for a failure: the `request`; its `engine`, which was failing others already; or, as other engines
 * fail too, something in the `fleet`.
 */
export type Blame = 'request' | 'engine' | 'fleet';

export class Flight {
  readonly attempt: EngineAttempt;
  readonly sentSeconds: number;
  /** When its first byte has to be there. */
  readonly firstByteDueSeconds: number;
  readonly #engine: EngineProgress | undefined;
  readonly #request: FailedRequest;
  readonly #watch: AttemptWatch | undefined;
  /** Failures of the engine when the request was sent, and the other requests among them. */
  readonly #streak: FailureStreak | undefined;
  readonly #streakFailures: number;
  readonly #failedBefore: readonly FailedRequest[];

  /**
   * Created when the attempt is sent.
   *
   * @param request Identifies the request.
   * @param watch Undefined for an attempt without deadlines.
   */
  constructor(attempt: EngineAttempt, request: FailedRequest, watch: AttemptWatch | undefined) {
    this.attempt = attempt;
    this.#request = request;
    this.#watch = watch;
    this.sentSeconds = watch?.nowSeconds ?? 0;
    this.firstByteDueSeconds =
      watch === undefined
        ? Number.POSITIVE_INFINITY
        : this.sentSeconds +
          firstByteSeconds(watch.settings.firstByteSeconds, attempt.predictedSeconds);
    this.#engine = watch?.engine(attempt.url);
    this.#streak = watch?.failing.streak(attempt.url);
    this.#streakFailures = this.#streak?.failures ?? 0;
    this.#failedBefore = this.#streak?.failedBeside(request, this.sentSeconds) ?? [];
  }

  get nowSeconds(): number {
    return this.#watch?.nowSeconds ?? 0;
  }

  /** Whether no stream of its engine moves. */
  get isWedged(): boolean {
    return this.#engine?.isWedged ?? false;
  }

  /**
   * The engine failed after it had received the request.
   *
   * @param met The engines that the request was sent to, with this one.
   * @returns `engine` if it had failed another request before this one was sent, and has completed none since; `fleet` if an
   *   engine that the request never met has failed lately. Failures of suspects do not count: requests that break engines at the
   *   same time do not excuse each other.
   */
  broke(met: ReadonlySet<string>): Blame {
    if (this.#watch === undefined) return 'request';
    const { failing, nowSeconds } = this.#watch;
    const wasFailing =
      this.#streak?.isOver === false && this.#failedBefore.some(({ isSuspect }) => !isSuspect);
    const areOthersFailing = failing.hasOtherThan(met, nowSeconds);
    failing.failed(this.attempt.url, this.#request, nowSeconds, this.sentSeconds);
    if (wasFailing) return 'engine';
    return areOthersFailing ? 'fleet' : 'request';
  }

  /** The engine has completed the response, which is no error. */
  completed(): void {
    this.#watch?.failing.completed(this.attempt.url, this.#streak, this.#streakFailures);
  }

  /** Tells its engine's progress that it has no data yet. */
  waits(): void {
    this.#engine?.waits(this.sentSeconds, this.attempt.prefillTokens);
  }

  /** Tells its engine's progress whether data has arrived since the last check. */
  streams(hasData: boolean, isClientSlow: boolean): void {
    this.#engine?.streams(hasData, isClientSlow);
  }
}
