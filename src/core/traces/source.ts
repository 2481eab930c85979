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
