// When a request may be sent to another engine, as data.

/**
 * How an attempt failed. `connect`: no connection was made. `reset`: the connection broke. `syntax`:
 * the bytes were not HTTP. `truncated`: the body ended early.
 */
export type AttemptFailureKind = 'connect' | 'reset' | 'syntax' | 'truncated';

/**
 * A deadline of an attempt. `firstByte`: time from sending the request to the first byte of the response's
 * body. `streamIdle`: time between two reads of the response.
 */
export type AttemptTimer = 'firstByte' | 'streamIdle';

/**
 * `engineStall`: time without data on any stream of the engine. `total`: time for the request, which no engine is
 * to blame for.
 */
export type AttemptDeadline = AttemptTimer | 'engineStall' | 'total';

/** The router's own response when no engine gave one: bad gateway, no engine, timeout. */
export type GatewayStatus = 502 | 503 | 504;

/**
 * What a failure says about the engine. `suspected`: it may be gone, or this request may have broken it;
 * a health check decides. `out`: it gets no requests until it is healthy again.
 */
export type EngineVerdict = 'in' | 'suspected' | 'out';

/** The consequences of one kind of failure before the client has received anything. */
export interface FailureRule {
  /** Send the request to another engine. */
  readonly reroutes: boolean;
  readonly engine: EngineVerdict;
  /** Whether the request may be to blame; see `RetryPolicy.brokenEnginesMax`. */
  readonly blamesRequest: boolean;
  /** Response to the client if the request is not rerouted. */
  readonly status: GatewayStatus;
}

/** Applies to one request; nothing is retried once a byte of the response has been sent to the client. */
export interface RetryPolicy {
  /** Maximum number of other engines to try after the first. */
  readonly reroutesMax: number;
  /**
   * Number of engines that may fail after receiving the request. It is not sent to another one then, because
   * it may be the cause.
   */
  readonly brokenEnginesMax: number;
  readonly failures: Readonly<Record<AttemptFailureKind, FailureRule>>;
  readonly timers: Readonly<Record<AttemptTimer, FailureRule>>;
  /**
   * Statuses of an engine's response that send the request to another engine. If no other engine is left,
   * the response goes to the client.
   */
  readonly reroutedStatuses: ReadonlySet<number>;
  /** The part of `reroutedStatuses` with which an engine refuses work: the request is not to blame. */
  readonly busyStatuses: ReadonlySet<number>;
}

/**
 * The router's default: a request without a response is sent to another engine, since inference can be
 * repeated. Exceptions: the retry budget is spent, or two engines have failed on it.
 */
export const defaultRetryPolicy: RetryPolicy = {
  reroutesMax: 2,
  brokenEnginesMax: 2,
  failures: {
    connect: { reroutes: true, engine: 'out', blamesRequest: false, status: 503 },
    reset: { reroutes: true, engine: 'suspected', blamesRequest: true, status: 502 },
    syntax: { reroutes: true, engine: 'in', blamesRequest: true, status: 502 },
    truncated: { reroutes: true, engine: 'suspected', blamesRequest: true, status: 502 },
  },
  timers: {
    firstByte: { reroutes: true, engine: 'suspected', blamesRequest: true, status: 504 },
    streamIdle: { reroutes: false, engine: 'suspected', blamesRequest: false, status: 504 },
  },
  reroutedStatuses: new Set([429, 500, 502, 503, 504]),
  busyStatuses: new Set([429, 503]),
};
