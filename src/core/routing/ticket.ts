// One attempt of this router to serve one request on one engine, from the pick to its end.
import type { Clock } from '../base/index.ts';
import { BookedAttempt } from './booked-attempt.ts';
import type { Outcome, Pick, PickGround, Policy, RoutingRequest } from './contract.ts';
import type { EndpointRecord } from './endpoint-record.ts';
import type { OutlierEjection } from './outlier-ejection.ts';
import type { PublishedAttempts } from './published-attempts.ts';

/** What all tickets of a core share. */
export interface TicketContext {
  readonly clock: Clock;
  /** Publishes attempts to peer routers. */
  readonly published: PublishedAttempts | undefined;
  readonly ejection: OutlierEjection;
}

export interface TicketOptions {
  readonly request: RoutingRequest;
  readonly pick: Pick;
  readonly endpoint: EndpointRecord;
  readonly policy: Policy;
  readonly retry: boolean;
  /** Whether another engine has the request too. */
  readonly isHedge: boolean;
  /** Whether the attempt tries an ejected engine. */
  readonly isTrial: boolean;
  /** The live engines of the request's model. */
  readonly alternatives: readonly EndpointRecord[];
}

/**
 * Why an attempt is made at its engine: the policy's ground, or what comes before it: the request is for this engine
 * only (`pinned`), another engine is late with it (`hedge`) or failed (`retry`), or the engine was ejected (`trial`).
 */
export type PickCause = PickGround | 'pinned' | 'hedge' | 'trial' | 'retry';

/** Every method may be called at any time and repeatedly, like those of `BookedAttempt`. */
export class Ticket {
  readonly #context: TicketContext;
  readonly #options: TicketOptions;
  readonly #booked: BookedAttempt;
  /** Whether it has told whether the engine works. */
  #isDecided = false;
  /** Failures of the engine when the request was sent. */
  #failuresBefore = 0;
  #isBroken = false;

  constructor(context: TicketContext, options: TicketOptions) {
    this.#context = context;
    this.#options = options;
    this.#booked = new BookedAttempt(options, options.endpoint.allLoads);
  }

  get pick(): Pick {
    return this.#options.pick;
  }

  get request(): RoutingRequest {
    return this.#options.request;
  }

  get cause(): PickCause {
    const { request, pick, retry, isHedge, isTrial } = this.#options;
    if (request.pinnedUrl !== undefined) return 'pinned';
    if (isHedge) return 'hedge';
    if (isTrial) return 'trial';
    if (retry) return 'retry';
    return pick.ground ?? (pick.cachedTokens > 0 ? 'prefix' : 'load');
  }

  /** Prompt tokens that are not expected to be cached. */
  get prefillTokens(): number {
    return this.#booked.prefillTokens;
  }

  /** Predicted seconds from sending to the first byte; undefined if the policy cannot know. */
  get predictedSeconds(): number | undefined {
    // Without streaming, the first byte comes with the last token.
    return this.request.stream ? this.pick.predictedSeconds : undefined;
  }

  /** The request is sent now. Call it in the same turn as `route`, or picks in between miss it. */
  sent(): void {
    const { clock, ejection, published } = this.#context;
    const nowSeconds = clock.nowSeconds();
    if (!this.#booked.sent(nowSeconds)) return;
    const { endpoint, retry } = this.#options;
    this.#failuresBefore = ejection.failuresOf(endpoint);
    endpoint.totals.requests += 1;
    if (retry) endpoint.totals.retries += 1;
    published?.sent(this.#booked, nowSeconds);
  }

  /** The first byte of the response body arrived: prefill is over. */
  firstByte(): void {
    const { clock, published } = this.#context;
    const nowSeconds = clock.nowSeconds();
    if (this.#booked.firstByte(nowSeconds)) published?.firstByte(this.#booked, nowSeconds);
  }

  /** So much of the response has arrived that the engine works: its first byte alone says too little. */
  progressed(): void {
    if (this.#isDecided || !this.#booked.isDecoding) return;
    const { clock, ejection } = this.#context;
    const { endpoint, isTrial } = this.#options;
    this.#isDecided = true;
    const failuresBefore = this.#failuresBefore;
    const { sentAtSeconds } = this.#booked;
    ejection.succeeded(endpoint, { isTrial, failuresBefore, sentAtSeconds }, clock.nowSeconds());
  }

  /** Another engine's response has come first, so this one's first byte takes longer than until now; `finish` follows. */
  outrun(): void {
    this.#booked.outrun(this.#context.clock.nowSeconds());
  }

  /** The engine failed after it had received the request, so that it may be to blame; `finish` follows. */
  broke(): void {
    this.#isBroken = true;
  }

  /** The attempt has ended, with any outcome. Only the first call counts. */
  finish(outcome: Outcome): void {
    const { clock, ejection, published } = this.#context;
    const { endpoint, isTrial, alternatives } = this.#options;
    const nowSeconds = clock.nowSeconds();
    if (!this.#booked.finish(outcome, nowSeconds)) {
      if (isTrial && !this.#isDecided) ejection.undecided(endpoint);
      return;
    }
    if (outcome.status === 'failed') {
      endpoint.totals.errors += 1;
      const countsAs = this.#isDecided ? 'broken off' : 'failed';
      ejection.failed(endpoint, { isTrial, countsAs }, alternatives, nowSeconds);
    } else if (!this.#isDecided) {
      // Complete without a body, or an error that is the client's: the engine responded.
      const failuresBefore = this.#failuresBefore;
      if (outcome.status === 'completed') {
        const { sentAtSeconds } = this.#booked;
        ejection.succeeded(endpoint, { isTrial, failuresBefore, sentAtSeconds }, nowSeconds);
      } else if (isTrial) ejection.undecided(endpoint);
    }
    this.#isDecided = true;
    published?.finished(this.#booked, outcome, this.#isBroken && outcome.status === 'failed');
  }
}
