// A small client for the router's own questions to engines: one GET or POST, whole answer, deadline.
import { ChunkedReader } from './chunked-reader.ts';
import type { ResponseHead } from './response-head.ts';
import type { UpstreamFailure } from './upstream-exchange.ts';
import type { UpstreamPool } from './upstream-pool.ts';

export interface FetchOptions {
  readonly method?: 'GET' | 'POST';
  /** Path and query. */
  readonly target: string;
  /** Each without CR LF. */
  readonly headers?: readonly string[];
  readonly body?: Buffer;
  readonly timeoutMs: number;
  /** A longer answer is an error. */
  readonly bytesMax: number;
}

export interface FetchedAnswer {
  readonly status: number;
  readonly body: Buffer;
}

/**
 * Asks over a pool's connections.
 *
 * @throws {Error} On a broken connection, a passed deadline, or an answer over `bytesMax`.
 */
export function fetchBytes(pool: UpstreamPool, options: FetchOptions): Promise<FetchedAnswer> {
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
    let status = 0;
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
    const take = (bytes: Buffer, ended: boolean): boolean => {
      if (reader !== undefined) reader.read(bytes, 0, bytes.length, keep);
      else keep(bytes, 0, bytes.length);
      if (received > bytesMax) fail(`the answer is larger than ${bytesMax} bytes`);
      else if (ended) {
        clearTimeout(timer);
        resolve({ status, body: Buffer.concat(chunks) });
      }
      return false;
    };
    const exchange = pool.send(
      { head: `${lines.join('\r\n')}\r\n\r\n`, body, toHead: false },
      {
        onHead(head: ResponseHead, bytes: Buffer, ended: boolean) {
          status = head.status;
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
    const timer = setTimeout(() => fail(`no whole answer within ${timeoutMs / 1000} s`), timeoutMs);
  });
}
