// What a request has used up of its retries: which engines failed it, and what they hold against it.
import type { ContinuationLoss, EngineAttempt } from './attempt-effects.ts';
import type { FailedRequest, FailingEngines } from './failing-engines.ts';
import type { Flight } from './flight.ts';
import type { RetryBudget } from './retry-budget.ts';
import type { RetryPolicy } from './retry-policy.ts';

/**
 * How a request moves. `substitute`: another engine takes the place of one that could not be reached, refused to continue a response,
 * or was failing other requests before this one came; the limit is `RetryPolicy.substitutesMax`.
 */
export type Move = 'reroute' | 'substitute';

/** An engine that failed after it had received the request. */
interface BrokenEngine {
  readonly url: string;
  readonly atSeconds: number;
  /** Whether the request is charged with it; something in the fleet may be to blame instead. */
  readonly isCharged: boolean;
}

/**
 * For so long after it, failures of an engine may still be due to the request that broke it: its health check takes it out
 * in that time.
 */
const aftermathSeconds = 0.5;

export class RetryAccount implements FailedRequest {
  readonly #policy: RetryPolicy;
  readonly #budget: RetryBudget | undefined;
  /** Engines that failed this part of the request, and all that had any of it and failed or were hedged. */
  #tried: Set<string> | undefined = undefined;
  #met: Set<string> | undefined = undefined;
  #reroutes = 0;
  #substitutes = 0;
  /** Engines that failed after they had received the request, and were not failing already. */
  #broken: BrokenEngine[] | undefined = undefined;
  #migrations = 0;

  /** @param budget Shared by the requests of a router; undefined allows every retry of the policy. */
  constructor(policy: RetryPolicy, budget: RetryBudget | undefined) {
    this.#policy = policy;
    this.#budget = budget;
  }

  /** Engines that failed this part of the request; undefined before the first. */
  get tried(): ReadonlySet<string> | undefined {
    return this.#tried;
  }

  /** Whether the request may be sent to another engine. */
  mayRetry(move: Move): boolean {
    const { reroutesMax, brokenEnginesMax, substitutesMax } = this.#policy;
    if (this.#brokenEngines >= brokenEnginesMax || reroutesMax === 0) return false;
    if (move === 'reroute' && this.#reroutes >= reroutesMax) return false;
    if (move === 'substitute' && this.#substitutes >= substitutesMax) return false;
    return this.#budget?.hasBalance !== false;
  }

  /** Whether a response that has begun may move once more. */
  get mayMigrate(): boolean {
    return this.#migrations < this.#policy.migrationsMax;
  }

  /** Whether it may be with two engines at once: it does not break more of them than one after the other. */
  get mayHedge(): boolean {
    return this.#brokenEngines + 2 <= this.#policy.brokenEnginesMax;
  }

  /** Why a response that could move does not. */
  lossOf(move: Move): ContinuationLoss {
    return this.mayMigrate && this.mayRetry(move) ? 'engines' : 'retries';
  }

  admitted(): void {
    this.#budget?.deposit();
  }

  /** The engine failed after it had received the request. @returns How the request moves. */
  charge(flight: Flight): Move {
    const { attempt, nowSeconds: atSeconds } = flight;
    const blame = flight.broke(this.meets(attempt));
    if (blame !== 'engine') {
      this.#broken ??= [];
      this.#broken.push({ url: attempt.url, atSeconds, isCharged: blame === 'request' });
    }
    if (!this.isSuspect) attempt.broke();
    return blame === 'engine' ? 'substitute' : 'reroute';
  }

  /** The engine has failed this request. */
  leave(attempt: EngineAttempt): void {
    this.#tried ??= new Set();
    this.#tried.add(attempt.url);
    this.meets(attempt);
  }

  /** Remembers an engine that has the request. @returns All engines that are remembered. */
  meets({ url }: EngineAttempt): ReadonlySet<string> {
    this.#met ??= new Set();
    return this.#met.add(url);
  }

  /** Another engine is picked for the request. */
  retried(move: Move): void {
    this.#budget?.withdraw();
    if (move === 'substitute') this.#substitutes++;
    else this.#reroutes++;
  }

  migrated(): void {
    this.#migrations++;
  }

  /** Whether as many engines broke on it as may, although it is not charged with all of them. */
  get isSuspect(): boolean {
    return (this.#broken?.length ?? 0) >= this.#policy.brokenEnginesMax;
  }

  /** Whether the request would move if some of the engines that failed it turned out to fail others, too. */
  mayBeAcquitted(move: Move): boolean {
    if (this.#broken === undefined || this.#policy.reroutesMax === 0) return false;
    return this.#budget?.hasBalance !== false && !this.mayRetry(move);
  }

  /**
   * Takes back failures of the request whose engine has since failed another one, which it got well after this one was gone.
   *
   * @returns Whether that was any.
   */
  acquit(failing: FailingEngines): boolean {
    const before = this.#broken?.length;
    this.#broken = this.#broken?.filter(({ url, atSeconds }) => {
      const lastSentSeconds = failing.streak(url)?.lastSentSeconds ?? Number.NEGATIVE_INFINITY;
      return lastSentSeconds < atSeconds + aftermathSeconds;
    });
    return this.#broken?.length !== before;
  }

  /** All engines were gone: those that are back may be tried again. */
  renewed(): void {
    this.#tried = undefined;
  }

  get #brokenEngines(): number {
    let count = 0;
    if (this.#broken !== undefined)
      for (const { isCharged } of this.#broken) if (isCharged) count++;
    return count;
  }

  /** The next part of the request begins: engines that failed the last one may be tried. */
  handedOver(): void {
    this.#tried = undefined;
  }

  /** The response made progress before its engine failed, so the request is not to blame. */
  progressed(): void {
    this.#reroutes = 0;
    this.#substitutes = 0;
    this.#broken = undefined;
    this.#tried = undefined;
  }
}
