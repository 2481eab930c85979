// One attempt to serve one request on one engine, from the pick to its end.
import type { Clock } from '../base/index.ts';
import type { Outcome, Pick, Policy, RoutingRequest } from './contract.ts';
import type { EndpointRecord } from './endpoint-record.ts';

/**
 * Counts one attempt in its endpoint's load. Every method may be called at any time and again; what
 * makes no sense (a first byte before sending, anything after the end) does nothing, so counts
 * are zero once every ticket that was sent is finished, and are never negative.
 */
export class Ticket {
  readonly pick: Pick;
  readonly request: RoutingRequest;
  readonly #endpoint: EndpointRecord;
  readonly #policy: Policy;
  readonly #clock: Clock;
  readonly #retry: boolean;
  readonly #prefillTokens: number;
  #decodeTokens = 0;
  #sentAtSeconds = 0;
  #stage: 'picked' | 'prefilling' | 'decoding' | 'finished' = 'picked';

  constructor(options: {
    readonly request: RoutingRequest;
    readonly pick: Pick;
    readonly endpoint: EndpointRecord;
    readonly policy: Policy;
    readonly clock: Clock;
    readonly retry: boolean;
  }) {
    this.request = options.request;
    this.pick = options.pick;
    this.#endpoint = options.endpoint;
    this.#policy = options.policy;
    this.#clock = options.clock;
    this.#retry = options.retry;
    this.#prefillTokens = Math.max(0, options.request.promptTokens - options.pick.cachedTokens);
  }

  /** The request goes out now. Call it in the same turn as `route`, or picks in between miss it. */
  sent(): void {
    if (this.#stage !== 'picked') return;
    this.#stage = 'prefilling';
    this.#sentAtSeconds = this.#clock.nowSeconds();
    const { load, totals } = this.#endpoint;
    load.inflight += 1;
    load.prefilling += 1;
    load.prefillTokens += this.#prefillTokens;
    totals.requests += 1;
    if (this.#retry) totals.retries += 1;
    this.#policy.onSent?.(this.request, this.pick, this.#sentAtSeconds);
  }

  /** The first byte of the answer's body is here: prefill is over. */
  firstByte(): void {
    if (this.#stage !== 'prefilling') return;
    this.#stage = 'decoding';
    const { load } = this.#endpoint;
    load.prefilling -= 1;
    load.prefillTokens -= this.#prefillTokens;
    this.#decodeTokens = this.request.promptTokens;
    load.decodeTokens += this.#decodeTokens;
    const nowSeconds = this.#clock.nowSeconds();
    const seconds = nowSeconds - this.#sentAtSeconds;
    this.#policy.onFirstByte?.(this.request, this.pick, seconds, nowSeconds);
  }

  /** The attempt is over, however it went. The first call counts. */
  finish(outcome: Outcome): void {
    const stage = this.#stage;
    if (stage === 'finished') return;
    this.#stage = 'finished';
    if (stage === 'picked') return;
    const { load, totals } = this.#endpoint;
    load.inflight -= 1;
    if (stage === 'prefilling') {
      load.prefilling -= 1;
      load.prefillTokens -= this.#prefillTokens;
    } else {
      load.decodeTokens -= this.#decodeTokens;
    }
    if (outcome.status === 'failed') totals.errors += 1;
    this.#policy.onFinish?.(this.request, this.pick, outcome, this.#clock.nowSeconds());
  }
}
