// What a trace is once read: arrivals with lengths and, per block of the prompt, an id.

/** One request of a trace. */
export interface TraceRequest {
  /** Seconds since the trace's origin; never before the previous request's. */
  readonly arrivalSeconds: number;
  /** Prompt length in tokens, at least 1. */
  readonly promptTokens: number;
  /** Tokens that were generated, at least 1. */
  readonly outputTokens: number;
  /**
   * One id per block of the prompt; the last block may be partial. Equal ids stand for equal
   * tokens and for equal blocks before them, so that a common run of ids is a common prefix.
   */
  readonly blockIds: readonly number[];
}

/** A sequence of requests in order of arrival. */
export interface Trace {
  /** Tokens that one block id stands for. */
  readonly blockTokens: number;
  readonly requests: readonly TraceRequest[];
}

/** Which part of a trace to replay, and how fast. */
export interface TraceSlice {
  /** Requests to skip at the front; 0 unless given. */
  readonly skip?: number;
  /** Requests to keep; all unless given. */
  readonly requests?: number;
  /** Arrivals are divided by this; 1 unless given. */
  readonly speed?: number;
}

/**
 * Cuts a part out of a trace and sets its clock: the first kept request arrives at 0 s.
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
