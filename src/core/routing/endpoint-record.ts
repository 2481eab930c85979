// One engine in the router's books: its models, its state, and exact counts of what was sent to it.
import type { Endpoint, EndpointLoad, ReportedLoad } from './contract.ts';

/**
 * - `starting`: not yet seen healthy; gets no requests.
 * - `live`: gets requests.
 * - `draining`: finishes what it has, gets no new requests.
 * - `dead`: does not answer; gets no requests until it does.
 */
export type EndpointState = 'starting' | 'live' | 'draining' | 'dead';

/** Counts since the endpoint was added. */
export interface EndpointTotals {
  /** Requests sent to it, retries included. */
  readonly requests: number;
  /** Requests that failed there. */
  readonly errors: number;
  /** Of `requests`, those that came here after another endpoint had failed them. */
  readonly retries: number;
}

/** The counts, changed by booked attempts alone. */
export class LoadCounter implements EndpointLoad {
  inflight = 0;
  prefilling = 0;
  prefillTokens = 0;
  decodeTokens = 0;

  /** @param prefillTokens Of its prompt, what is not expected to be cached. */
  sent(prefillTokens: number): void {
    this.inflight += 1;
    this.prefilling += 1;
    this.prefillTokens += prefillTokens;
  }

  /** @param promptTokens The context that its decode begins with. */
  prefilled(prefillTokens: number, promptTokens: number): void {
    this.prefilling -= 1;
    this.prefillTokens -= prefillTokens;
    this.decodeTokens += promptTokens;
  }

  ended(promptTokens: number): void {
    this.inflight -= 1;
    this.decodeTokens -= promptTokens;
  }
}

/** What the core keeps of one engine; policies see it as an `Endpoint`, users as a status. */
export class EndpointRecord implements Endpoint {
  readonly url: string;
  /** Of all attempts known of. */
  readonly load = new LoadCounter();
  /** Of those of this router. */
  readonly ownLoad = new LoadCounter();
  readonly totals = { requests: 0, errors: 0, retries: 0 };
  models: readonly string[];
  reported: ReportedLoad | undefined = undefined;
  state: EndpointState;
  /** Why it is in this state, in plain words. */
  reason: string;
  /** Why it lists no models, in plain words, if it was asked in vain. */
  silence: string | undefined = undefined;

  constructor(url: string, models: readonly string[], state: EndpointState, reason: string) {
    this.url = url;
    this.models = models;
    this.state = state;
    this.reason = reason;
  }
}

/** A picture of one endpoint at one moment, for /engines and metrics. */
export interface EndpointStatus extends Endpoint {
  readonly state: EndpointState;
  readonly reason: string;
  /** Of `load`, what this router sent itself. */
  readonly ownLoad: EndpointLoad;
  readonly totals: EndpointTotals;
}

/** A copy that later changes do not touch. */
export function statusOf(record: EndpointRecord): EndpointStatus {
  return {
    url: record.url,
    models: record.models,
    state: record.state,
    reason: record.reason,
    load: { ...record.load },
    ownLoad: { ...record.ownLoad },
    reported: record.reported,
    totals: { ...record.totals },
  };
}
