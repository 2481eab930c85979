// The last requests that have ended, for /debug/requests.
import type { RequestView } from '../../../core/views/index.ts';

/** Number of requests kept; older ones are dropped. */
const requestsMax = 256;

/** A request as it is added: the name of its engine is looked up on request. */
export interface EndedRequest
  extends Omit<
    RequestView,
    'engine' | 'ttftSeconds' | 'sentSeconds' | 'cachedTokens' | 'outputTokens'
  > {
  readonly ttftSeconds: number | undefined;
  readonly sentSeconds: number | undefined;
  readonly cachedTokens: number | undefined;
  readonly outputTokens: number | undefined;
}

/**
 * Kept in one array per field: an object per request would live for as many requests as are kept, which the
 * garbage collector copies twice.
 */
export class RecentRequests {
  readonly #requestIds: string[] = [];
  readonly #models: (string | null)[] = [];
  readonly #urls: (string | null)[] = [];
  readonly #outcomes: RequestView['outcome'][] = [];
  readonly #statuses = new Uint16Array(requestsMax);
  readonly #atSeconds = new Float64Array(requestsMax);
  readonly #seconds = new Float64Array(requestsMax);
  /** NaN stands for null, here and below. */
  readonly #ttftSeconds = new Float64Array(requestsMax);
  readonly #sentSeconds = new Float64Array(requestsMax);
  readonly #attempts = new Uint16Array(requestsMax);
  readonly #promptTokens = new Float64Array(requestsMax);
  readonly #cachedTokens = new Float64Array(requestsMax);
  readonly #outputTokens = new Float64Array(requestsMax);
  /** Number of requests added so far. */
  #added = 0;

  add(request: EndedRequest): void {
    const slot = this.#added++ % requestsMax;
    this.#requestIds[slot] = request.requestId;
    this.#models[slot] = request.model;
    this.#urls[slot] = request.url;
    this.#outcomes[slot] = request.outcome;
    this.#statuses[slot] = request.status;
    this.#atSeconds[slot] = request.atSeconds;
    this.#seconds[slot] = request.seconds;
    this.#ttftSeconds[slot] = request.ttftSeconds ?? Number.NaN;
    this.#sentSeconds[slot] = request.sentSeconds ?? Number.NaN;
    this.#attempts[slot] = request.attempts;
    this.#promptTokens[slot] = request.promptTokens;
    this.#cachedTokens[slot] = request.cachedTokens ?? Number.NaN;
    this.#outputTokens[slot] = request.outputTokens ?? Number.NaN;
  }

  /** Oldest first. @param nameOf Name of the engine with a URL. */
  views(nameOf: (url: string) => string): RequestView[] {
    const first = Math.max(0, this.#added - requestsMax);
    return Array.from({ length: this.#added - first }, (_, i) => {
      const slot = (first + i) % requestsMax;
      const url = this.#urls[slot] as string | null;
      return {
        atSeconds: this.#atSeconds[slot] as number,
        requestId: this.#requestIds[slot] as string,
        model: this.#models[slot] as string | null,
        url,
        engine: url === null ? null : nameOf(url),
        outcome: this.#outcomes[slot] as RequestView['outcome'],
        status: this.#statuses[slot] as number,
        ttftSeconds: numberOrNull(this.#ttftSeconds[slot] as number),
        seconds: this.#seconds[slot] as number,
        sentSeconds: numberOrNull(this.#sentSeconds[slot] as number),
        attempts: this.#attempts[slot] as number,
        promptTokens: this.#promptTokens[slot] as number,
        cachedTokens: numberOrNull(this.#cachedTokens[slot] as number),
        outputTokens: numberOrNull(this.#outputTokens[slot] as number),
      };
    });
  }
}

function numberOrNull(value: number): number | null {
  return Number.isNaN(value) ? null : value;
}
