// The last requests that have ended, for /debug/requests.
import { RingBuffer } from '../../../core/base/index.ts';
import type { RequestView } from '../../../core/protocol/index.ts';

/** Number of requests kept; older ones are dropped. */
const requestsMax = 256;

/** A request as it is kept: the name of its engine is looked up on request. */
export type EndedRequest = Omit<RequestView, 'engine'>;

export class RecentRequests {
  readonly #requests = new RingBuffer<EndedRequest>({ itemsMax: requestsMax });

  add(request: EndedRequest): void {
    this.#requests.push(request);
  }

  /** Oldest first. @param nameOf Name of the engine with a URL. */
  views(nameOf: (url: string) => string): RequestView[] {
    return Array.from(this.#requests, (request) => {
      return { ...request, engine: request.url === null ? null : nameOf(request.url) };
    });
  }
}
