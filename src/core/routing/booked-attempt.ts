// One attempt in the load counts of its endpoint and the policy, whichever router sent it.
import type { Outcome, Pick, Policy, RoutingRequest } from './contract.ts';
import type { LoadCounter } from './endpoint-record.ts';

export interface BookedAttemptOptions {
  readonly request: RoutingRequest;
  readonly pick: Pick;
  /** Receives the attempt's hooks if the pick is its own. */
  readonly policy: Policy | undefined;
}

/**
 * Counts the attempt from its sending to its end. Every method may be called at any time and repeatedly; a call that
 * makes no sense (a first byte before sending, anything after the end) does nothing and returns false, so
 * counts are zero once every attempt that was sent is finished, and are never negative.
 */
export class BookedAttempt {
  readonly request: RoutingRequest;
  readonly pick: Pick;
  readonly #policy: Policy | undefined;
  readonly #loads: readonly LoadCounter[];
  /** Prompt tokens that are not expected to be cached. */
  readonly prefillTokens: number;
  #sentAtSeconds = Number.NaN;
  #stage: 'picked' | 'prefilling' | 'decoding' | 'finished' = 'picked';

  /** @param loads The loads in which it is counted. */
  constructor({ request, pick, policy }: BookedAttemptOptions, loads: readonly LoadCounter[]) {
    this.request = request;
    this.pick = pick;
    this.#policy = policy;
    this.#loads = loads;
    this.prefillTokens = Math.max(0, request.promptTokens - pick.cachedTokens);
  }

  /** NaN before it is sent. */
  get sentAtSeconds(): number {
    return this.#sentAtSeconds;
  }

  /** Whether its response has begun and not ended. */
  get isDecoding(): boolean {
    return this.#stage === 'decoding';
  }

  sent(nowSeconds: number): boolean {
    if (this.#stage !== 'picked') return false;
    this.#stage = 'prefilling';
    this.#sentAtSeconds = nowSeconds;
    const { stream } = this.request;
    for (const load of this.#loads) load.sent(this.prefillTokens, stream);
    this.#policy?.onSent?.(this.request, this.pick, nowSeconds);
    return true;
  }

  firstByte(nowSeconds: number): boolean {
    if (this.#stage !== 'prefilling') return false;
    this.#stage = 'decoding';
    const { promptTokens, stream } = this.request;
    for (const load of this.#loads) load.prefilled(this.prefillTokens, promptTokens, stream);
    const seconds = nowSeconds - this.#sentAtSeconds;
    this.#policy?.onFirstByte?.(this.request, this.pick, seconds, nowSeconds);
    return true;
  }

  /** Another engine's first byte has come first: this one's takes longer than until now. */
  outrun(nowSeconds: number): void {
    if (this.#stage !== 'prefilling') return;
    const seconds = nowSeconds - this.#sentAtSeconds;
    this.#policy?.onOutrun?.(this.request, this.pick, seconds, nowSeconds);
  }

  /** @returns Whether it was sent and this call ended it. */
  finish(outcome: Outcome, nowSeconds: number): boolean {
    const stage = this.#stage;
    this.#stage = 'finished';
    if (stage === 'finished' || stage === 'picked') return false;
    const { promptTokens, stream } = this.request;
    for (const load of this.#loads) {
      if (stage === 'prefilling') load.prefilled(this.prefillTokens, promptTokens, stream);
      load.ended(promptTokens);
    }
    this.#policy?.onFinish?.(this.request, this.pick, outcome, nowSeconds);
    return true;
  }
}
