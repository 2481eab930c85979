// The requests of a load in the order in which they become due.
import type { LoadRequest, RequestWriter } from './request-body.ts';

/**
 * Size of the bodies written in advance, so that writing one delays no request that is due and no chunk that arrives: those of
 * 26,000 prompts of 100 tokens, or of 160 prompts of 16,000. Writing them takes about two seconds before the run.
 */
const preparedBytesMax = 16 << 20;

/** Requests that wait for no response. */
export interface Traffic {
  /** In order of arrival; times are in wall-clock seconds. */
  readonly requests: readonly LoadRequest[];
  readonly writer: RequestWriter;
}

/** What is sent, and when; times are wall-clock seconds since the start of the run. */
export interface LoadSource {
  readonly writer: RequestWriter;
  /** All requests, where they are known before the run. */
  readonly requests: readonly LoadRequest[] | undefined;
  /** Number of requests; undefined if it is not known. */
  readonly count: number | undefined;
  /** Whether later prompts contain the responses to earlier ones. */
  readonly needsTexts: boolean;
  /** When the next request is due; Infinity while none is. */
  readonly nextSeconds: number;
  /** Writes one body before its request is due. @returns Whether there was one to write. */
  prepare(): boolean;
  /** Takes the next request. Requests are numbered from 0 in this order. */
  take(): { readonly request: LoadRequest; readonly body: Uint8Array };
  /**
   * Called when a request has ended.
   *
   * @param text The response; undefined if it failed.
   */
  ended(index: number, nowSeconds: number, text: string | undefined): void;
}

/** Returns requests that wait for no response; they must be in order of arrival. */
export function listedRequests({ requests, writer }: Traffic): LoadSource {
  const bodies = new Map<number, Uint8Array>();
  let preparedBytes = 0;
  let prepared = 0;
  let next = 0;
  return {
    writer,
    requests,
    count: requests.length,
    needsTexts: false,
    get nextSeconds() {
      return requests[next]?.arrivalSeconds ?? Number.POSITIVE_INFINITY;
    },
    prepare() {
      const request = requests[prepared];
      if (request === undefined || preparedBytes >= preparedBytesMax) return false;
      const body = writer.body(request);
      preparedBytes += body.byteLength;
      bodies.set(prepared++, body);
      return true;
    },
    take() {
      const request = requests[next];
      if (request === undefined) throw new RangeError(`No request ${next}`);
      const ready = bodies.get(next);
      bodies.delete(next);
      preparedBytes -= ready?.byteLength ?? 0;
      const body = ready ?? writer.body(request);
      next++;
      prepared = Math.max(prepared, next);
      return { request, body };
    },
    ended: () => {},
  };
}
