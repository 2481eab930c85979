// An attempt that has been sent, as the deadlines see it.
import type { EngineAttempt } from './attempt-effects.ts';
import { type AttemptWatch, firstByteSeconds } from './deadlines.ts';
import type { EngineProgress } from './engine-progress.ts';

export class Flight {
  readonly attempt: EngineAttempt;
  readonly sentSeconds: number;
  /** When its first byte has to be there. */
  readonly firstByteDueSeconds: number;
  readonly #engine: EngineProgress | undefined;

  /** Created when the attempt is sent. @param watch Undefined for an attempt without deadlines. */
  constructor(attempt: EngineAttempt, watch: AttemptWatch | undefined) {
    this.attempt = attempt;
    this.sentSeconds = watch?.nowSeconds ?? 0;
    this.firstByteDueSeconds =
      watch === undefined
        ? Number.POSITIVE_INFINITY
        : this.sentSeconds +
          firstByteSeconds(watch.settings.firstByteSeconds, attempt.predictedSeconds);
    this.#engine = watch?.engine(attempt.url);
  }

  /** Whether no stream of its engine moves. */
  get isWedged(): boolean {
    return this.#engine?.isWedged ?? false;
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
