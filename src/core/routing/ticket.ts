// One attempt of this router to serve one request on one engine, from the pick to its end.
import type { Clock } from '../base/index.ts';
import { BookedAttempt } from './booked-attempt.ts';
import type { Outcome, Pick, Policy, RoutingRequest } from './contract.ts';
import type { EndpointRecord } from './endpoint-record.ts';
import type { ToldAttempts } from './told-attempts.ts';

/** Every method may be called at any time and again, as those of `BookedAttempt`. */
export class Ticket {
  readonly pick: Pick;
  readonly request: RoutingRequest;
  readonly #booked: BookedAttempt;
  readonly #endpoint: EndpointRecord;
  readonly #clock: Clock;
  readonly #retry: boolean;
  readonly #told: ToldAttempts | undefined;

  constructor(options: {
    readonly request: RoutingRequest;
    readonly pick: Pick;
    readonly endpoint: EndpointRecord;
    readonly policy: Policy;
    readonly clock: Clock;
    readonly retry: boolean;
    /** Tells other routers. */
    readonly told: ToldAttempts | undefined;
  }) {
    const { request, pick, endpoint, policy } = options;
    this.request = request;
    this.pick = pick;
    const loads = [endpoint.load, endpoint.ownLoad];
    this.#booked = new BookedAttempt({ request, pick, policy, loads });
    this.#endpoint = endpoint;
    this.#clock = options.clock;
    this.#retry = options.retry;
    this.#told = options.told;
  }

  /** The request goes out now. Call it in the same turn as `route`, or picks in between miss it. */
  sent(): void {
    const nowSeconds = this.#clock.nowSeconds();
    if (!this.#booked.sent(nowSeconds)) return;
    const { totals } = this.#endpoint;
    totals.requests += 1;
    if (this.#retry) totals.retries += 1;
    this.#told?.sent(this.#booked, nowSeconds);
  }

  /** The first byte of the answer's body is here: prefill is over. */
  firstByte(): void {
    const nowSeconds = this.#clock.nowSeconds();
    if (this.#booked.firstByte(nowSeconds)) this.#told?.firstByte(this.#booked, nowSeconds);
  }

  /** The attempt is over, however it went. The first call counts. */
  finish(outcome: Outcome): void {
    if (!this.#booked.finish(outcome, this.#clock.nowSeconds())) return;
    if (outcome.status === 'failed') this.#endpoint.totals.errors += 1;
    this.#told?.finished(this.#booked, outcome);
  }
}
