// Sends the requests of a load on the router's own connections to engines, which need a fraction of the processor time of
// node:http or fetch; otherwise, hundreds of streams on one core would measure the client.
import { basicAuthorization, type Clock } from '../../core/base/index.ts';
import { Ticker, UpstreamPool } from '../../io/http/index.ts';
import type { LoadApi } from './load-api.ts';
import { headerLines, headersOf } from './request-headers.ts';
import { StreamExchange, type StreamedAnswer } from './stream-exchange.ts';

/** Interval of checks for idle connections. */
const tickMs = 500;

/** A load may have as many connections as it has requests in flight; the timeout of a request covers all of its waits. */
const limits = {
  ...{ idleConnectionsMax: 65_536, connectTimeoutMs: 0, firstByteTimeoutMs: 0 },
  ...{ streamIdleTimeoutMs: 0 },
};

/** A request as the client sends it. */
export interface OutgoingRequest {
  readonly api: LoadApi;
  readonly body: Uint8Array;
  /** Headers of this request alone. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Whether the text of the response is needed. @default false */
  readonly keepsText?: boolean | undefined;
}

/** Keeps connections and sends requests to one server. */
export interface StreamClient {
  /**
   * @param signal Ends the request at once; the answer's error is then `interrupted`.
   * @returns Always resolves; failures are in `error`.
   */
  send(outgoing: OutgoingRequest, signal: AbortSignal): Promise<StreamedAnswer>;
  /** Closes all connections. */
  close(): void;
}

/**
 * Creates a client of an OpenAI-compatible server.
 *
 * @param options.url Base URL, e.g. `http://127.0.0.1:8000/v1`.
 * @param options.timeoutMs From sending to the end of the answer.
 * @throws {InputError} If a header cannot be sent.
 */
export function createStreamClient(options: {
  readonly url: URL;
  readonly apiKey: string | undefined;
  /** Further headers of each request. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly timeoutMs: number;
  readonly clock: Clock;
}): StreamClient {
  const { url, timeoutMs, clock } = options;
  const ticker = new Ticker({ tickMs });
  const pool = new UpstreamPool({ url: url.origin, ticker, limits });
  const base = url.pathname.replace(/\/+$/, '');
  const basic = basicAuthorization(url);
  const own = { ...(basic && { authorization: basic }), ...lowerCased(headersOf(options)) };
  const shared = headerLines({ host: url.host, 'content-type': 'application/json', ...own });
  const acceptLine = ({ isStreamed }: LoadApi) =>
    'accept' in own ? '' : `accept: ${isStreamed ? 'text/event-stream' : 'application/json'}\r\n`;
  /** One listener per signal: a signal with thousands of them is slow. */
  const flying = new WeakMap<AbortSignal, Set<StreamExchange>>();
  const flyingUnder = (signal: AbortSignal) => {
    const known = flying.get(signal);
    if (known !== undefined) return known;
    const exchanges = new Set<StreamExchange>();
    signal.addEventListener('abort', () => exchanges.forEach(interrupt), { once: true });
    flying.set(signal, exchanges);
    return exchanges;
  };
  return {
    send({ api, body, headers, keepsText = false }, signal) {
      return new Promise((resolve) => {
        const exchanges = flyingUnder(signal);
        const exchange = new StreamExchange({
          ...{ clock, api, keepsText },
          onEnd: (ended, answer) => {
            clearTimeout(timer);
            exchanges.delete(ended);
            resolve(answer);
          },
        });
        const timer = setTimeout(expire, timeoutMs, exchange, timeoutMs);
        if (signal.aborted) return interrupt(exchange);
        exchanges.add(exchange);
        const further = headers === undefined ? '' : headerLines(headers);
        const lines = `${shared}${acceptLine(api)}${further}content-length: ${body.byteLength}\r\n`;
        const head = `POST ${base}${api.path} HTTP/1.1\r\n${lines}\r\n`;
        const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
        exchange.upstream = pool.send({ head, body: bytes, toHead: false }, exchange);
      });
    },
    close() {
      pool.close();
      ticker.stop();
    },
  };
}

function interrupt(exchange: StreamExchange): void {
  exchange.fail('interrupted', 'the run was stopped');
}

function expire(exchange: StreamExchange, timeoutMs: number): void {
  exchange.fail('timeout', `not finished after ${timeoutMs / 1000} s`);
}

/** Returns headers by lower-case names, so that one given twice counts once, without those that the client has to set. */
function lowerCased(headers: Readonly<Record<string, string>>): Record<string, string> {
  const entries = Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]);
  const { 'content-length': _, 'transfer-encoding': __, ...rest } = Object.fromEntries(entries);
  return rest;
}
