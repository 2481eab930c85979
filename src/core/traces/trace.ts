// A trace in memory: arrivals with lengths, and an id per block of each prompt.

/** One request of a trace. */
export interface TraceRequest {
  /** Seconds since the start of the trace; not before the previous request. */
  readonly arrivalSeconds: number;
  /** Prompt length in tokens, at least 1. */
  readonly promptTokens: number;
  /** Number of generated tokens, at least 1. */
  readonly outputTokens: number;
  /**
   * One id per block of the prompt; the last block may be partial. Equal ids mean equal tokens and equal
   * blocks before them, so a common run of ids is a common prefix.
   */
  readonly blockIds: readonly number[];
  /** The model that the row names, where the format has one (BurstGPT). */
  readonly sourceModel?: string;
}

/** A sequence of requests in order of arrival. */
export interface Trace {
  /** Number of tokens per block id. */
  readonly blockTokens: number;
  readonly requests: readonly TraceRequest[];
}

/** The part of a trace to replay, and its speed. */
export interface TraceSlice {
  /** Number of requests to skip at the start. @default 0 */
  readonly skip?: number;
  /** Number of requests to keep. @default all */
  readonly requests?: number;
  /** Divisor of the arrival times. @default 1 */
  readonly speed?: number;
}

/**
 * Returns a part of a trace with its clock reset: the first kept request arrives at 0 s.
 *
 * @throws {RangeError} If a count is negative or not whole, or the speed is not positive.
 * @example sliceTrace(trace, { skip: 100, requests: 1000, speed: 4 });
 */
export function sliceTrace(trace: Trace, slice: TraceSlice): Trace {
  const { skip = 0, requests = trace.requests.length, speed = 1 } = slice;
  for (const [name, value] of Object.entries({ skip, requests })) {
    if (!Number.isInteger(value) || value < 0) throw new RangeError(`${name} is ${value}`);
  }
  if (!(speed > 0 && Number.isFinite(speed))) throw new RangeError(`speed is ${speed}`);
  const kept = trace.requests.slice(skip, skip + requests);
  const origin = kept[0]?.arrivalSeconds ?? 0;
  return {
    blockTokens: trace.blockTokens,
    requests: kept.map((request) => ({
      ...request,
      arrivalSeconds: (request.arrivalSeconds - origin) / speed,
    })),
  };
}
