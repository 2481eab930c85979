// A small client for the router's own requests to engines: one GET or POST with a deadline, returns
// the whole response.
import { ChunkedReader } from './chunked-reader.ts';
import type { Headers } from './header-lines.ts';
import type { ResponseHead } from './response-head.ts';
import type { ResponseSink, UpstreamExchange, UpstreamFailure } from './upstream-exchange.ts';
import type { UpstreamPool } from './upstream-pool.ts';

/**
 * A deadline noticed so much too late was missed by this process, not by the peer: a pause of our own must
 * not make healthy engines look dead. The peer gets its time again.
 */
const pauseMs = 100;
/** So often at most; a process that always pauses has to decide at some time. */
const extensionsMax = 3;

export interface FetchOptions {
  readonly method?: 'GET' | 'POST';
  /** Path and query. */
  readonly target: string;
  /** Header lines without CR LF. */
  readonly headers?: readonly string[];
  readonly body?: Buffer;
  readonly timeoutMs: number;
  /** Maximum size of the response; a longer one is an error. */
  readonly bytesMax: number;
}

export interface FetchedAnswer<Body = Buffer> {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Body;
}

/**
 * Sends the request over a pool's connections.
 *
 * @throws {Error} On a broken connection, a timeout, or a response over `bytesMax`.
 */
export function fetchBytes(pool: UpstreamPool, options: FetchOptions): Promise<FetchedAnswer> {
  return fetchRead(pool, options, (body) => Buffer.from(body));
}

/**
 * The same, for a response that is read at once: a body that arrives in one piece is not copied.
 *
 * @param read Called with the whole body, which is valid during the call only. What it throws rejects the promise.
 */
export function fetchRead<Body>(
  pool: UpstreamPool,
  options: FetchOptions,
  read: (body: Buffer, status: number) => Body,
): Promise<FetchedAnswer<Body>> {
  return new Promise((resolve, reject) => {
    new Fetch(pool, options, read, resolve, reject);
  });
}

/** One request. A router with a thousand engines makes 400 per second, so it is one object. */
class Fetch<Body> implements ResponseSink {
  readonly keepsNothing = true;
  readonly #options: FetchOptions;
  readonly #read: (body: Buffer, status: number) => Body;
  readonly #resolve: (answer: FetchedAnswer<Body>) => void;
  readonly #reject: (error: unknown) => void;
  readonly #exchange: UpstreamExchange;
  /** Parts of a body that does not arrive in one piece. */
  #chunks: Buffer[] | undefined = undefined;
  #received = 0;
  #head: ResponseHead | undefined = undefined;
  #reader: ChunkedReader | undefined = undefined;
  #dueMs: number;
  #extensions = 0;
  #timer: NodeJS.Timeout;

  constructor(
    pool: UpstreamPool,
    options: FetchOptions,
    read: (body: Buffer, status: number) => Body,
    resolve: (answer: FetchedAnswer<Body>) => void,
    reject: (error: unknown) => void,
  ) {
    const { body, timeoutMs } = options;
    this.#options = options;
    this.#read = read;
    this.#resolve = resolve;
    this.#reject = reject;
    this.#exchange = pool.send({ head: headText(pool, options), body, toHead: false }, this);
    this.#dueMs = performance.now() + timeoutMs;
    this.#timer = setTimeout(expire, timeoutMs, this);
  }

  onHead(head: ResponseHead, bytes: Buffer, ended: boolean): boolean {
    this.#head = head;
    if (head.framing === 'chunked') this.#reader = new ChunkedReader();
    return this.onBytes(bytes, ended);
  }

  onBytes(bytes: Buffer, ended: boolean): boolean {
    const { bytesMax } = this.#options;
    if (ended && this.#received === 0 && this.#reader === undefined && bytes.length <= bytesMax) {
      this.#finish(bytes);
      return false;
    }
    if (this.#reader === undefined) this.#keep(bytes, 0, bytes.length);
    else {
      this.#reader.read(bytes, 0, bytes.length, (from, start, end) => this.#keep(from, start, end));
    }
    if (this.#received > bytesMax) this.#fail(`the response is larger than ${bytesMax} bytes`);
    else if (ended) this.#finish(Buffer.concat(this.#chunks ?? []));
    return false;
  }

  onFailure(failure: UpstreamFailure): void {
    clearTimeout(this.#timer);
    this.#reject(new Error(failure.message));
  }

  expire(): void {
    const { timeoutMs } = this.#options;
    if (performance.now() - this.#dueMs < pauseMs || this.#extensions++ >= extensionsMax) {
      this.#fail(`no complete response within ${timeoutMs / 1000} s`);
      return;
    }
    this.#dueMs = performance.now() + timeoutMs;
    this.#timer = setTimeout(expire, timeoutMs, this);
  }

  #keep(bytes: Buffer, start: number, end: number): void {
    this.#received += end - start;
    if (this.#received > this.#options.bytesMax) return;
    this.#chunks ??= [];
    this.#chunks.push(Buffer.from(bytes.subarray(start, end)));
  }

  #finish(body: Buffer): void {
    clearTimeout(this.#timer);
    const { status, headers } = this.#head as ResponseHead;
    try {
      this.#resolve({ status, headers, body: this.#read(body, status) });
    } catch (error) {
      this.#reject(error);
    }
  }

  #fail(message: string): void {
    clearTimeout(this.#timer);
    this.#exchange.abort();
    this.#reject(new Error(message));
  }
}

function expire(fetch: { expire(): void }): void {
  fetch.expire();
}

function headText({ origin: { host, port } }: UpstreamPool, options: FetchOptions): string {
  const { method = 'GET', target, headers, body } = options;
  let text = `${method} ${target} HTTP/1.1\r\nHost: ${host.includes(':') ? `[${host}]` : host}:${port}\r\n`;
  for (const line of headers ?? []) text += `${line}\r\n`;
  return body === undefined ? `${text}\r\n` : `${text}Content-Length: ${body.length}\r\n\r\n`;
}
