// A driver for tests: records the actions that the machine requests, one word each.
import type {
  AttemptDeadline,
  AttemptEffects,
  AttemptOutcome,
  Continuation,
  ContinuationLoss,
  RefusalCause,
} from '../../src/core/attempts/index.ts';

export class RecordedEffects implements AttemptEffects {
  readonly log: string[] = [];
  readonly #engines: readonly string[];
  #attemptsOpen = 0;

  /** @param engines Picked in this order, without those already tried. */
  constructor(engines: readonly string[]) {
    this.#engines = engines;
  }

  /** Number of attempts in progress. */
  get attemptsOpen(): number {
    return this.#attemptsOpen;
  }

  /** Returns the actions since the last call. */
  taken(): string {
    return this.log.splice(0).join(', ');
  }

  pick(tried: ReadonlySet<string> | undefined): string | undefined {
    const url = this.#engines.find((engine) => !tried?.has(engine));
    this.log.push(`pick ${url ?? 'nobody'}`);
    return url;
  }

  /** What the policy expects of each engine. */
  predicted: number | undefined = undefined;

  predictedSeconds(): number | undefined {
    return this.predicted;
  }

  /** Tokens that each engine has to compute. */
  tokens = 0;

  prefillTokens(): number {
    return this.tokens;
  }

  unpick(): void {
    this.log.push('unpick');
  }

  expired(deadline: AttemptDeadline): void {
    this.log.push(`expired ${deadline}`);
  }

  send(): void {
    this.#attemptsOpen++;
    this.log.push('send');
  }

  abort(): void {
    this.log.push('abort');
  }

  engineSuspected(): void {
    this.log.push('engineSuspected');
  }

  engineOut(): void {
    this.log.push('engineOut');
  }

  firstByte(): void {
    this.log.push('firstByte');
  }

  attemptEnded(outcome: AttemptOutcome): void {
    this.#attemptsOpen--;
    this.log.push(`attempt ${outcome}`);
  }

  /** Whether another engine can go on with the response. */
  continues: Continuation = 'impossible';

  continuation(): Continuation {
    if (this.continues !== 'impossible') this.log.push(`continuation ${this.continues}`);
    return this.continues;
  }

  notContinued(why: ContinuationLoss): void {
    this.log.push(`not continued: ${why}`);
  }

  rerouted(): void {
    this.log.push('rerouted');
  }

  refuse(cause: RefusalCause): void {
    this.log.push(`refuse ${cause}`);
  }

  breakOff(): void {
    this.log.push('breakOff');
  }

  complete(): void {
    this.log.push('complete');
  }

  requestEnded(outcome: AttemptOutcome, status: number | undefined): void {
    this.log.push(`request ${outcome} ${status}`);
  }
}
