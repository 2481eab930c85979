// What a request has used up of its retries: which engines failed it, and what they hold against it.
import type { ContinuationLoss, EngineAttempt } from './attempt-effects.ts';
import type { Flight } from './flight.ts';
import type { RetryBudget } from './retry-budget.ts';
import type { RetryPolicy } from './retry-policy.ts';

/**
 * How a request moves. `substitute`: another engine takes the place of one that could not be reached, refused to continue a response,
 * or was failing other requests before this one came; the limit is `RetryPolicy.substitutesMax`.
 */
export type Move = 'reroute' | 'substitute';

export class RetryAccount {
  readonly #policy: RetryPolicy;
  readonly #budget: RetryBudget | undefined;
  /** Engines that failed this part of the request, and all that had any of it and failed or were hedged. */
  #tried: Set<string> | undefined = undefined;
  #met: Set<string> | undefined = undefined;
  #reroutes = 0;
  #substitutes = 0;
  /** Engines that failed after they had received the request, and were not failing already. */
  #brokenEngines = 0;
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
    const blame = flight.broke(this.meets(flight.attempt));
    if (blame === 'request') this.#brokenEngines++;
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

  /** The next part of the request begins: engines that failed the last one may be tried. */
  handedOver(): void {
    this.#tried = undefined;
  }

  /** The response made progress before its engine failed, so the request is not to blame. */
  progressed(): void {
    this.#reroutes = 0;
    this.#substitutes = 0;
    this.#brokenEngines = 0;
    this.#tried = undefined;
  }
}
