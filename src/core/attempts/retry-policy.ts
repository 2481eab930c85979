// When a request may be sent to another engine, as data.

/**
 * How an attempt failed. `connect`: no connection was made. `reset`: the connection broke. `syntax`:
 * the bytes were not HTTP. `truncated`: the body ended early. `event`: the engine reported in its stream that it
 * cannot go on. `mismatch`: it did not take the tokens of the response that it should continue.
 */
export type AttemptFailureKind =
  | 'connect'
  | 'reset'
  | 'syntax'
  | 'truncated'
  | 'event'
  | 'mismatch';

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

/** The consequences of one kind of failure. */
export interface FailureRule {
  /** Send the request, or the rest of it, to another engine. */
  readonly reroutes: boolean;
  readonly engine: EngineVerdict;
  /** Whether the request may be to blame; see `RetryPolicy.brokenEnginesMax`. */
  readonly blamesRequest: boolean;
  /** Whether the engine never had the request: a substitute takes its place, which is not counted as a reroute. */
  readonly isRefusal?: true;
  /** Response to the client if the request is not rerouted. */
  readonly status: GatewayStatus;
}

/** Applies to one request; a response that has begun moves to another engine only if that one can continue it. */
export interface RetryPolicy {
  /** Maximum number of other engines to try after the first; 0 for none at all. */
  readonly reroutesMax: number;
  /**
   * Maximum number of engines to try beyond these: in place of engines that were failing other requests before this one
   * was sent there, that cannot be reached, or that refuse to continue a response.
   */
  readonly substitutesMax: number;
  /**
   * Number of engines that may fail after receiving the request. It is not sent to another one then, because
   * it may be the cause.
   */
  readonly brokenEnginesMax: number;
  /** Maximum number of times that a response that has begun moves to another engine; 0 for never. */
  readonly migrationsMax: number;
  /**
   * Number of chunks of a response after which a failure is not the request's: it does not count as broken on it,
   * and the reroutes start again. A request that breaks engines at a certain token breaks the next one at once.
   */
  readonly progressChunks: number;
  readonly failures: Readonly<Record<AttemptFailureKind, FailureRule>>;
  readonly timers: Readonly<Record<AttemptTimer, FailureRule>>;
  /**
   * Statuses of an engine's response that send the request to another engine. If no other engine is left,
   * the response goes to the client.
   */
  readonly reroutedStatuses: ReadonlySet<number>;
  /**
   * Statuses with which an engine says that it does not have the model, as its adapter was unloaded since its models were
   * read. Another engine takes its place, and none is to blame.
   */
  readonly absentStatuses: ReadonlySet<number>;
  /** The part of `reroutedStatuses` with which an engine refuses work: the request is not to blame. */
  readonly busyStatuses: ReadonlySet<number>;
}

/**
 * The router's default: a request without a response is sent to another engine, since inference can be
 * repeated. Exceptions: the retry budget is spent, or two engines have failed on it.
 */
export const defaultRetryPolicy: RetryPolicy = {
  reroutesMax: 2,
  substitutesMax: 8,
  brokenEnginesMax: 2,
  migrationsMax: 8,
  progressChunks: 8,
  failures: {
    connect: {
      ...{ reroutes: true, engine: 'out', blamesRequest: false, isRefusal: true, status: 503 },
    },
    reset: { reroutes: true, engine: 'suspected', blamesRequest: true, status: 502 },
    syntax: { reroutes: true, engine: 'in', blamesRequest: true, status: 502 },
    truncated: { reroutes: true, engine: 'suspected', blamesRequest: true, status: 502 },
    event: { reroutes: true, engine: 'suspected', blamesRequest: true, status: 502 },
    mismatch: { reroutes: false, engine: 'in', blamesRequest: false, status: 502 },
  },
  timers: {
    firstByte: { reroutes: true, engine: 'suspected', blamesRequest: true, status: 504 },
    streamIdle: { reroutes: true, engine: 'suspected', blamesRequest: true, status: 504 },
  },
  reroutedStatuses: new Set([429, 500, 502, 503, 504]),
  busyStatuses: new Set([429, 503]),
  absentStatuses: new Set([404]),
};

/**
 * The same policy for a request that must not be worked on twice: it goes to another engine only if the first one cannot have
 * begun it, because it could not be reached or refused it.
 */
export function unrepeatable(policy: RetryPolicy): RetryPolicy {
  const { failures, timers, busyStatuses } = policy;
  const stays = (rule: FailureRule): FailureRule => ({
    ...rule,
    reroutes: rule.isRefusal === true,
  });
  return {
    ...policy,
    migrationsMax: 0,
    failures: {
      connect: stays(failures.connect),
      reset: stays(failures.reset),
      syntax: stays(failures.syntax),
      truncated: stays(failures.truncated),
      event: stays(failures.event),
      mismatch: stays(failures.mismatch),
    },
    timers: { firstByte: stays(timers.firstByte), streamIdle: stays(timers.streamIdle) },
    reroutedStatuses: busyStatuses,
    absentStatuses: new Set(),
  };
}
