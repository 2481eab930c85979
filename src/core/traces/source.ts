// The source of a simulation's requests: a trace, or a workload of `core/workload`.
import type { TraceRequest } from './trace.ts';

/** A request as a client sends it. */
export interface WorkloadRequest extends TraceRequest {
  /** The client or conversation that it belongs to. */
  readonly session?: string | undefined;
  /** LoRA adapter that it needs. */
  readonly adapterId?: number | undefined;
  /** Whether `blockIds` continue with the response, because later prompts contain it. */
  readonly coversAnswer?: boolean | undefined;
}

/** Requests in order of arrival; some become due only when others are complete. */
export interface RequestSource<R extends WorkloadRequest = WorkloadRequest> {
  /** Tokens per block id. */
  readonly blockTokens: number;
  /** When the next request is due; Infinity while none is, and at the end. */
  readonly nextSeconds: number;
  /** Takes the next request. Requests are numbered from 0 in this order. */
  take(): R;
  /** Called when request `index` is complete, or never will be. */
  answered(index: number, nowSeconds: number): void;
}

/** Returns a trace as a source; its requests do not wait for responses. */
export function tracedRequests(
  requests: readonly WorkloadRequest[],
  blockTokens: number,
): RequestSource {
  let next = 0;
  return {
    blockTokens,
    get nextSeconds() {
      return requests[next]?.arrivalSeconds ?? Number.POSITIVE_INFINITY;
    },
    take: () => requests[next++] as WorkloadRequest,
    answered: () => {},
  };
}

/**
 * Returns requests that a number of users send one after another: each is due when one before it is complete, if that
 * is later than its own time.
 */
export function closedLoop(
  requests: readonly WorkloadRequest[],
  options: {
    readonly blockTokens: number;
    readonly users: number;
    /** Time from a response to the next request of its user, as of a client and a network. @default 0 */
    readonly turnaroundSeconds?: number;
  },
): RequestSource {
  const { blockTokens, users, turnaroundSeconds = 0 } = options;
  let next = 0;
  let open = 0;
  let freeSeconds = 0;
  return {
    blockTokens,
    get nextSeconds() {
      const request = requests[next];
      if (request === undefined || open >= users) return Number.POSITIVE_INFINITY;
      return Math.max(request.arrivalSeconds, freeSeconds);
    },
    take() {
      const request = requests[next] as WorkloadRequest;
      const arrivalSeconds = Math.max(request.arrivalSeconds, freeSeconds);
      next++;
      open++;
      return { ...request, arrivalSeconds };
    },
    answered(_, nowSeconds) {
      open--;
      freeSeconds = nowSeconds + turnaroundSeconds;
    },
  };
}
