// The router's record of one engine: its models, its state, and exact counts of what was sent to it.
import type { Endpoint, EndpointLoad, EngineRole, ReportedLoad } from './contract.ts';
import { EngineQueue } from './engine-queue.ts';

/**
 * - `starting`: no successful health check yet; gets no requests.
 * - `live`: gets requests.
 * - `asleep`: its owner put it to sleep; gets no requests until it is awake.
 * - `draining`: finishes its requests, gets no new ones.
 * - `dead`: does not respond; gets no requests until it does.
 */
export type EndpointState = 'starting' | 'live' | 'asleep' | 'draining' | 'dead';

/** Counts since the endpoint was added. */
export interface EndpointTotals {
  /** Requests sent to it, retries included. */
  readonly requests: number;
  /** Requests that failed there. */
  readonly errors: number;
  /** The part of `requests` that was sent here after another endpoint had failed. */
  readonly retries: number;
}

/** The counts, changed only by booked attempts. */
export class LoadCounter implements EndpointLoad {
  inflight = 0;
  prefilling = 0;
  prefillTokens = 0;
  decodeTokens = 0;
  #prefillingStreams = 0;
  #started = 0;

  /** The part of `prefilling` whose first byte marks the end of prefill. */
  get prefillingStreams(): number {
    return this.#prefillingStreams;
  }

  /** Requests past their first byte, in total. */
  get started(): number {
    return this.#started;
  }

  /**
   * @param prefillTokens Tokens of its prompt that are not expected to be cached.
   * @param isStream Whether its response is streamed.
   */
  sent(prefillTokens: number, isStream: boolean): void {
    this.inflight += 1;
    if (isStream) this.#prefillingStreams += 1;
    this.prefilling += 1;
    this.prefillTokens += prefillTokens;
  }

  /** @param promptTokens Context at the start of its decode. */
  prefilled(prefillTokens: number, promptTokens: number, isStream: boolean): void {
    this.prefilling -= 1;
    this.#started += 1;
    if (isStream) this.#prefillingStreams -= 1;
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
  /** Load of all known attempts. */
  readonly load = new LoadCounter();
  /** Load of this router's attempts. */
  readonly ownLoad = new LoadCounter();
  /** Both, for attempts of this router. */
  readonly allLoads: readonly LoadCounter[] = [this.load, this.ownLoad];
  readonly totals = { requests: 0, errors: 0, retries: 0 };
  models: readonly string[];
  role: EngineRole | undefined = undefined;
  reported: ReportedLoad | undefined = undefined;
  readonly queue = new EngineQueue();
  state: EndpointState;
  /** Why it is in this state, in plain words. */
  reason: string;
  /** Why it lists no models, in plain words, if a request for them failed. */
  silence: string | undefined = undefined;

  constructor(url: string, models: readonly string[], state: EndpointState, reason: string) {
    this.url = url;
    this.models = models;
    this.state = state;
    this.reason = reason;
  }
}

/** A snapshot of one endpoint, for /engines and metrics. */
export interface EndpointStatus extends Endpoint {
  readonly state: EndpointState;
  readonly reason: string;
  /** The part of `load` that this router sent itself. */
  readonly ownLoad: EndpointLoad;
  readonly totals: EndpointTotals;
}

/** Returns a copy that later changes do not affect. */
export function statusOf(record: EndpointRecord): EndpointStatus {
  return {
    url: record.url,
    models: record.models,
    role: record.role,
    state: record.state,
    reason: record.reason,
    load: { ...record.load },
    ownLoad: { ...record.ownLoad },
    reported: record.reported,
    totals: { ...record.totals },
  };
}
