// Requests for stored responses: GET, DELETE, or POST to cancel one. They have no body for an engine, and go to the engine
// that has the response.
import type { ServerExchange } from '../../../io/http/index.ts';
import { type Arrival, type Arrivals, requestWithoutPrompt } from '../requests/arrival.ts';
import { ProxiedRequest } from '../requests/proxied-request.ts';
import type { ProxyContext } from '../requests/proxy-context.ts';
import {
  type Place,
  type StoredReference,
  type StoredResponses,
  storedResponsesPath,
} from './stored-responses.ts';

const noBody = Buffer.alloc(0);

export class StoredRequests {
  readonly #context: ProxyContext;
  readonly #arrivals: Arrivals;
  readonly #responses: StoredResponses;

  constructor(context: ProxyContext, arrivals: Arrivals, responses: StoredResponses) {
    this.#context = context;
    this.#arrivals = arrivals;
    this.#responses = responses;
  }

  /** Routes one request, or refuses it. */
  take(exchange: ServerExchange, arrivedAtMs: number): void {
    const arrival = this.#arrivals.arrived(exchange, undefined, arrivedAtMs);
    if (arrival === undefined) return;
    const { head, target } = exchange;
    const id = idInPath(target);
    if (id === undefined) {
      const message =
        'There is no response with such an id: they have letters, digits, "-", "_", "." and ":" only.';
      this.#arrivals.refuse(arrival, { status: 404, message, param: 'response_id' });
    } else if (arrival.pinnedUrl !== undefined) this.#send(arrival, arrival.pinnedUrl);
    else {
      const reference = { id, model: undefined, head, param: 'response_id' } as const;
      this.place(arrival, reference, (url) => this.#send(arrival, url));
    }
  }

  /**
   * Finds the engine that has the response to which a request refers, or refuses the request.
   *
   * @param send Called with its URL; undefined for any engine.
   */
  place(
    arrival: Arrival,
    reference: StoredReference,
    send: (url: string | undefined) => void,
  ): void {
    const goOn = (place: Place) => {
      if ('error' in place) this.#arrivals.refuse(arrival, place.error);
      else send(place.url);
    };
    const place = this.#responses.placeOf(reference);
    if (place instanceof Promise) {
      place
        .then((found) => {
          if (!arrival.exchange.over) goOn(found);
        })
        .catch((error: unknown) => this.#arrivals.refuseBroken(arrival, error));
    } else goOn(place);
  }

  #send({ exchange, id, arrivedAtMs }: Arrival, pinnedUrl: string | undefined): void {
    const request = {
      ...requestWithoutPrompt({ id, model: undefined, session: undefined, pinnedUrl }),
      isKept: pinnedUrl !== undefined,
    };
    const isRepeatable = exchange.head.method === 'GET';
    new ProxiedRequest(this.#context, {
      ...{ exchange, request, body: noBody, expectsUsage: false, generates: false, arrivedAtMs },
      ...{ migration: undefined, isHedged: false, isRepeatable },
    }).start();
  }
}

/** Anything else, such as an encoded slash, might lead elsewhere behind a proxy in front of the engine. */
const idCharacters = /^(?!\.+$)[\w.:~@=+-]+$/;

/** The id in the path of a stored response; undefined if it cannot be decoded. */
function idInPath(target: string): string | undefined {
  const [path = ''] = target.split('?', 1);
  const [id = ''] = path.slice(storedResponsesPath.length).split('/', 1);
  try {
    const decoded = decodeURIComponent(id);
    return idCharacters.test(decoded) ? decoded : undefined;
  } catch {
    return undefined;
  }
}
