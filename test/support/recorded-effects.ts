// A driver for tests: records the actions that the machine requests, one word each.
import type {
  AttemptDeadline,
  AttemptEffects,
  AttemptOutcome,
  Continuation,
  ContinuationLoss,
  EngineAttempt,
  HedgeOutcome,
  RefusalCause,
} from '../../src/core/attempts/index.ts';

export class RecordedEffects implements AttemptEffects {
  readonly log: string[] = [];
  /** Engines that failed after they had received the request, as other routers learn. */
  readonly broken: string[] = [];
  readonly #engines: readonly string[];
  /** Number of attempts in progress. */
  attemptsOpen = 0;
  /** What the policy expects of each engine. */
  predicted: number | undefined = undefined;
  /** Tokens that each engine has to compute. */
  tokens = 0;
  /** Called when an attempt is sent. */
  onSend: (() => void) | undefined = undefined;
  /** The attempt picked last as a second one; what it does is recorded with `hedge` before it. */
  hedge: EngineAttempt | undefined = undefined;

  /** @param engines Picked in this order, without those already tried. */
  constructor(engines: readonly string[]) {
    this.#engines = engines;
  }

  /** Returns the actions since the last call. */
  taken(): string {
    return this.log.splice(0).join(', ');
  }

  pick(tried: ReadonlySet<string> | undefined): EngineAttempt | undefined {
    const url = this.#engines.find((engine) => !tried?.has(engine));
    this.log.push(`pick ${url ?? 'nobody'}`);
    return url === undefined ? undefined : new RecordedAttempt(this, url);
  }

  /** See `AttemptEffects.secondsWithoutEngine`. */
  withoutEngine: number | undefined = undefined;

  secondsWithoutEngine(): number | undefined {
    return this.withoutEngine;
  }

  pickHedge(tried: ReadonlySet<string>): EngineAttempt | undefined {
    const url = this.#engines.find((engine) => !tried.has(engine));
    this.log.push(`pickHedge ${url ?? 'nobody'}`);
    this.hedge = url === undefined ? undefined : new RecordedAttempt(this, url);
    return this.hedge;
  }

  hedgeEnded(outcome: HedgeOutcome): void {
    this.hedge = undefined;
    this.log.push(`hedge ${outcome}`);
  }

  expired(deadline: AttemptDeadline): void {
    this.log.push(`expired ${deadline}`);
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

class RecordedAttempt implements EngineAttempt {
  readonly url: string;
  readonly #effects: RecordedEffects;

  constructor(effects: RecordedEffects, url: string) {
    this.#effects = effects;
    this.url = url;
  }

  get predictedSeconds(): number | undefined {
    return this.#effects.predicted;
  }

  get prefillTokens(): number {
    return this.#effects.tokens;
  }

  unpick(): void {
    this.#record('unpick');
  }

  send(): void {
    this.#effects.attemptsOpen++;
    this.#record('send');
    this.#effects.onSend?.();
  }

  abort(): void {
    this.#record('abort');
  }

  engineSuspected(): void {
    this.#record('engineSuspected');
  }

  engineOut(): void {
    this.#record('engineOut');
  }

  lacksModel(): void {
    this.#record('lacksModel');
  }

  firstByte(): void {
    this.#record('firstByte');
  }

  outrun(): void {
    this.#record('outrun');
  }

  broke(): void {
    this.#effects.broken.push(this.url);
  }

  progressed(): void {
    this.#effects.log.push('progressed');
  }

  ended(outcome: AttemptOutcome): void {
    this.#effects.attemptsOpen--;
    this.#record(`attempt ${outcome}`);
  }

  #record(word: string): void {
    this.#effects.log.push(this.#effects.hedge === this ? `hedge ${word}` : word);
  }
}
