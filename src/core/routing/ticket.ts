// One attempt of this router to serve one request on one engine, from the pick to its end.
import type { Clock } from '../base/index.ts';
import { BookedAttempt } from './booked-attempt.ts';
import type { Outcome, Pick, Policy, RoutingRequest } from './contract.ts';
import type { EndpointRecord } from './endpoint-record.ts';
import type { OutlierEjection } from './outlier-ejection.ts';
import type { PublishedAttempts } from './published-attempts.ts';

/** Every method may be called at any time and repeatedly, like those of `BookedAttempt`. */
export class Ticket {
  readonly pick: Pick;
  readonly request: RoutingRequest;
  readonly #booked: BookedAttempt;
  readonly #endpoint: EndpointRecord;
  readonly #clock: Clock;
  readonly #retry: boolean;
  readonly #published: PublishedAttempts | undefined;
  readonly #ejection: OutlierEjection;
  readonly #isTrial: boolean;
  readonly #alternatives: readonly EndpointRecord[];
  /** Whether it has told whether the engine works. */
  #isDecided = false;

  constructor(options: {
    readonly request: RoutingRequest;
    readonly pick: Pick;
    readonly endpoint: EndpointRecord;
    readonly policy: Policy;
    readonly clock: Clock;
    readonly retry: boolean;
    /** Publishes the attempt to peer routers. */
    readonly published: PublishedAttempts | undefined;
    readonly ejection: OutlierEjection;
    /** Whether the attempt tries an ejected engine. */
    readonly isTrial: boolean;
    /** The live engines of the request's model. */
    readonly alternatives: readonly EndpointRecord[];
  }) {
    const { request, pick, endpoint, policy } = options;
    this.request = request;
    this.pick = pick;
    const loads = [endpoint.load, endpoint.ownLoad];
    this.#booked = new BookedAttempt({ request, pick, policy, loads });
    this.#endpoint = endpoint;
    this.#clock = options.clock;
    this.#retry = options.retry;
    this.#published = options.published;
    this.#ejection = options.ejection;
    this.#isTrial = options.isTrial;
    this.#alternatives = options.alternatives;
  }

  /** Predicted seconds from sending to the first byte; undefined if the policy cannot know. */
  get predictedSeconds(): number | undefined {
    // Without streaming, the first byte comes with the last token.
    return this.request.stream ? this.pick.predictedSeconds : undefined;
  }

  /** The request is sent now. Call it in the same turn as `route`, or picks in between miss it. */
  sent(): void {
    const nowSeconds = this.#clock.nowSeconds();
    if (!this.#booked.sent(nowSeconds)) return;
    const { totals } = this.#endpoint;
    totals.requests += 1;
    if (this.#retry) totals.retries += 1;
    this.#published?.sent(this.#booked, nowSeconds);
  }

  /** The first byte of the response body arrived: prefill is over. */
  firstByte(): void {
    const nowSeconds = this.#clock.nowSeconds();
    if (!this.#booked.firstByte(nowSeconds)) return;
    this.#isDecided = true;
    this.#ejection.succeeded(this.#endpoint, this.#isTrial, nowSeconds);
    this.#published?.firstByte(this.#booked, nowSeconds);
  }

  /** The attempt has ended, with any outcome. Only the first call counts. */
  finish(outcome: Outcome): void {
    const nowSeconds = this.#clock.nowSeconds();
    if (!this.#booked.finish(outcome, nowSeconds)) {
      if (this.#isTrial && !this.#isDecided) this.#ejection.undecided(this.#endpoint);
      return;
    }
    if (outcome.status === 'failed') {
      this.#endpoint.totals.errors += 1;
      this.#ejection.failed(this.#endpoint, this.#isTrial, this.#alternatives, nowSeconds);
    } else if (!this.#isDecided) {
      // Complete without a body, or an error that is the client's: the engine responded.
      if (outcome.status === 'completed') {
        this.#ejection.succeeded(this.#endpoint, this.#isTrial, nowSeconds);
      } else if (this.#isTrial) this.#ejection.undecided(this.#endpoint);
    }
    this.#isDecided = true;
    this.#published?.finished(this.#booked, outcome);
  }
}
