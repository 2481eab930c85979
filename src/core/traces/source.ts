// Where a simulation's requests come from: a trace, or what `core/workload` generates.
import type { TraceRequest } from './trace.ts';

/** A request as a client sends it. */
export interface WorkloadRequest extends TraceRequest {
  /** The client or conversation that it belongs to. */
  readonly session?: string | undefined;
  /** Whether `blockIds` go on over the answer, because later prompts contain it. */
  readonly coversAnswer?: boolean | undefined;
}

/** Requests in order of arrival; some become due only once others are answered. */
export interface RequestSource {
  /** Tokens per block id. */
  readonly blockTokens: number;
  /** When the next is due; Infinity while none is, and at the end. */
  readonly nextSeconds: number;
  /** The next one. Requests are numbered from 0 in the order in which they are taken. */
  take(): WorkloadRequest;
  /** Request `index` has its whole answer, or never will. */
  answered(index: number, nowSeconds: number): void;
}

/** A trace as a source: nobody waits for answers. */
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
