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

export interface FetchedAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Buffer;
}

/**
 * Sends the request over a pool's connections.
 *
 * @throws {Error} On a broken connection, a timeout, or a response over `bytesMax`.
 */
export function fetchBytes(pool: UpstreamPool, options: FetchOptions): Promise<FetchedAnswer> {
  const { body, timeoutMs, bytesMax } = options;
  const sent = { head: headText(pool, options), body, timeoutMs, bytesMax };
  return new Promise((resolve, reject) => {
    new Fetch(pool, sent, copied, resolve, reject);
  });
}

/** A GET that is sent over and over: its head is written once. */
export class RepeatedGet {
  readonly #pool: UpstreamPool;
  readonly #target: string;
  #head: string;
  readonly #timeoutMs: () => number;
  readonly #bytesMax: number;

  constructor(
    pool: UpstreamPool,
    options: Pick<FetchOptions, 'target' | 'headers' | 'bytesMax'> & {
      readonly timeoutMs: () => number;
    },
  ) {
    this.#pool = pool;
    this.#target = options.target;
    this.#head = headText(pool, options);
    this.#timeoutMs = options.timeoutMs;
    this.#bytesMax = options.bytesMax;
  }

  /** Sends other header lines from now on. */
  setHeaders(headers: readonly string[]): void {
    this.#head = headText(this.#pool, { target: this.#target, headers });
  }

  /**
   * @param read Called with the response, whose body is valid during the call only. What it throws rejects the promise.
   * @returns What `read` returns.
   * @throws {Error} As `fetchBytes`.
   */
  send<Read>(read: (answer: FetchedAnswer) => Read): Promise<Read> {
    const timeoutMs = this.#timeoutMs();
    const sent = { head: this.#head, body: undefined, timeoutMs, bytesMax: this.#bytesMax };
    return new Promise((resolve, reject) => {
      new Fetch(this.#pool, sent, read, resolve, reject);
    });
  }
}

/** The response with a body of its own. */
export function copied(answer: FetchedAnswer): FetchedAnswer {
  return { ...answer, body: Buffer.from(answer.body) };
}

interface SentRequest {
  readonly head: string;
  readonly body: Buffer | undefined;
  readonly timeoutMs: number;
  readonly bytesMax: number;
}

/** One request. A router with a thousand engines makes 400 per second, so it is one object. */
class Fetch<Read> implements ResponseSink {
  readonly keepsNothing = true;
  readonly #sent: SentRequest;
  readonly #read: (answer: FetchedAnswer) => Read;
  readonly #resolve: (read: Read) => void;
  readonly #reject: (error: unknown) => void;
  readonly #exchange: UpstreamExchange;
  /** Of the body. Those that arrived in earlier reads are copies. */
  #parts: Buffer[] = [];
  #received = 0;
  #head: ResponseHead | undefined = undefined;
  #reader: ChunkedReader | undefined = undefined;
  #dueMs: number;
  #extensions = 0;
  #timer: NodeJS.Timeout;

  constructor(
    pool: UpstreamPool,
    sent: SentRequest,
    read: (answer: FetchedAnswer) => Read,
    resolve: (read: Read) => void,
    reject: (error: unknown) => void,
  ) {
    const { head, body, timeoutMs } = sent;
    this.#sent = sent;
    this.#read = read;
    this.#resolve = resolve;
    this.#reject = reject;
    this.#exchange = pool.send({ head, body, toHead: false }, this);
    this.#dueMs = performance.now() + timeoutMs;
    this.#timer = setTimeout(expire, timeoutMs, this);
  }

  onHead(head: ResponseHead, bytes: Buffer, ended: boolean): boolean {
    this.#head = head;
    if (head.framing === 'chunked') this.#reader = new ChunkedReader();
    return this.onBytes(bytes, ended);
  }

  onBytes(bytes: Buffer, ended: boolean): boolean {
    const earlier = this.#parts.length;
    if (this.#reader === undefined) this.#add(bytes, 0, bytes.length);
    else
      this.#reader.read(bytes, 0, bytes.length, (from, start, end) => this.#add(from, start, end));
    const { bytesMax } = this.#sent;
    if (this.#received > bytesMax) this.#fail(`the response is larger than ${bytesMax} bytes`);
    else if (ended) this.#finish();
    else for (let i = earlier; i < this.#parts.length; i++) this.#keep(i);
    return false;
  }

  onFailure(failure: UpstreamFailure): void {
    clearTimeout(this.#timer);
    this.#reject(new Error(failure.message));
  }

  expire(): void {
    const { timeoutMs } = this.#sent;
    if (performance.now() - this.#dueMs < pauseMs || this.#extensions++ >= extensionsMax) {
      this.#fail(`no complete response within ${timeoutMs / 1000} s`);
      return;
    }
    this.#dueMs = performance.now() + timeoutMs;
    this.#timer = setTimeout(expire, timeoutMs, this);
  }

  #add(bytes: Buffer, start: number, end: number): void {
    this.#received += end - start;
    if (this.#received <= this.#sent.bytesMax && end > start) {
      this.#parts.push(bytes.subarray(start, end));
    }
  }

  /** The bytes of this part are valid during the read only. */
  #keep(index: number): void {
    this.#parts[index] = Buffer.from(this.#parts[index] as Buffer);
  }

  #finish(): void {
    clearTimeout(this.#timer);
    const { status, headers } = this.#head as ResponseHead;
    const [first = noBytes, ...more] = this.#parts;
    const body = more.length === 0 ? first : Buffer.concat(this.#parts);
    try {
      this.#resolve(this.#read({ status, headers, body }));
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

const noBytes = Buffer.alloc(0);

function headText(
  { origin: { host, port } }: UpstreamPool,
  options: Pick<FetchOptions, 'method' | 'target' | 'headers' | 'body'>,
): string {
  const { method = 'GET', target, headers, body } = options;
  let text = `${method} ${target} HTTP/1.1\r\nHost: ${host.includes(':') ? `[${host}]` : host}:${port}\r\n`;
  // The router reads what it asks for.
  text += 'Accept-Encoding: identity\r\n';
  for (const line of headers ?? []) text += `${line}\r\n`;
  return body === undefined ? `${text}\r\n` : `${text}Content-Length: ${body.length}\r\n\r\n`;
}
