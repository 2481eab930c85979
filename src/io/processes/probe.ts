// Sends small GET requests to our own children, each with a deadline.
import { request } from '../node-http/index.ts';

/**
 * Maximum size of a body; a longer one is an error. The router's debug page of 100 engines has 100
 * KB.
 */
const bodyBytesMax = 4 << 20;

export interface ProbeAnswer {
  readonly status: number;
  readonly body: string;
}

/**
 * Sends GET `url` on a new connection. Rejects on any failure, and after `timeoutMs`.
 *
 * @param options.key Sent as a bearer token.
 */
export function probe(
  url: string,
  options: { timeoutMs: number; signal?: AbortSignal; key?: string | undefined },
): Promise<ProbeAnswer> {
  const deadline = AbortSignal.timeout(options.timeoutMs);
  const signal = options.signal ? AbortSignal.any([options.signal, deadline]) : deadline;
  return new Promise((resolve, reject) => {
    // No agent: a keep-alive connection would keep a stopping child open.
    const headers = options.key ? { authorization: `Bearer ${options.key}` } : {};
    const call = request(url, { agent: false, signal, headers }, (response) => {
      const chunks: Buffer[] = [];
      let bytes = 0;
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes > bodyBytesMax) response.destroy(new Error(`body above ${bodyBytesMax} bytes`));
        else chunks.push(chunk);
      });
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString() }),
      );
      response.on('error', reject);
    });
    call.on('error', reject);
    call.end();
  });
}
