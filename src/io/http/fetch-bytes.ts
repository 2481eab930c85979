// A small client for the router's own requests to engines: one GET or POST with a deadline, returns
// the whole response.
import { ChunkedReader } from './chunked-reader.ts';
import type { Headers } from './header-lines.ts';
import type { ResponseHead } from './response-head.ts';
import type { UpstreamFailure } from './upstream-exchange.ts';
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
  const { method = 'GET', target, headers = [], body, timeoutMs, bytesMax } = options;
  const { host, port } = pool.origin;
  const lines = [
    `${method} ${target} HTTP/1.1`,
    `Host: ${host.includes(':') ? `[${host}]` : host}:${port}`,
    ...headers,
    ...(body ? [`Content-Length: ${body.length}`] : []),
  ];
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let received = 0;
    let responseHead: ResponseHead | undefined;
    let reader: ChunkedReader | undefined;
    const fail = (message: string) => {
      clearTimeout(timer);
      exchange.abort();
      reject(new Error(message));
    };
    const keep = (bytes: Buffer, start: number, end: number) => {
      received += end - start;
      if (received <= bytesMax) chunks.push(Buffer.from(bytes.subarray(start, end)));
    };
    const finish = (body: Buffer) => {
      clearTimeout(timer);
      const { status, headers } = responseHead as ResponseHead;
      try {
        resolve({ status, headers, body: read(body, status) });
      } catch (error) {
        reject(error);
      }
    };
    const take = (bytes: Buffer, ended: boolean): boolean => {
      const isWhole = ended && chunks.length === 0 && reader === undefined;
      if (isWhole && bytes.length <= bytesMax) {
        finish(bytes);
        return false;
      }
      if (reader !== undefined) reader.read(bytes, 0, bytes.length, keep);
      else keep(bytes, 0, bytes.length);
      if (received > bytesMax) fail(`the response is larger than ${bytesMax} bytes`);
      else if (ended) finish(Buffer.concat(chunks));
      return false;
    };
    const exchange = pool.send(
      { head: `${lines.join('\r\n')}\r\n\r\n`, body, toHead: false },
      {
        onHead(head: ResponseHead, bytes: Buffer, ended: boolean) {
          responseHead = head;
          if (head.framing === 'chunked') reader = new ChunkedReader();
          return take(bytes, ended);
        },
        onBytes: take,
        onFailure(failure: UpstreamFailure) {
          clearTimeout(timer);
          reject(new Error(failure.message));
        },
      },
    );
    let dueMs = performance.now() + timeoutMs;
    let extensions = 0;
    const expire = () => {
      if (performance.now() - dueMs < pauseMs || extensions++ >= extensionsMax) {
        fail(`no complete response within ${timeoutMs / 1000} s`);
        return;
      }
      dueMs = performance.now() + timeoutMs;
      timer = setTimeout(expire, timeoutMs);
    };
    let timer = setTimeout(expire, timeoutMs);
  });
}
