// One request to a router, with a deadline. Not by fetch, which refuses some ports that a router may have.
import { request as requestTls } from 'node:https';
import { request as requestPlain } from '../../io/node-http/index.ts';

export interface RouterAnswer {
  readonly status: number;
  /** Lower-case names. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
}

export interface RouterRequest {
  readonly url: string;
  readonly method: 'GET' | 'POST';
  readonly apiKey?: string | undefined;
  /**
   * Whether a forwarded port is asked: the API server vouches for the pod, whose certificate is for another name.
   * @default false
   */
  readonly isTunnel?: boolean | undefined;
  readonly body?: object | undefined;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
}

/** The metrics page of a thousand engines has a few megabytes. */
const bodyBytesMax = 64 << 20;

/** @throws {Error} If there is no complete response in time; the message has the reason. */
export async function http(asked: RouterRequest): Promise<RouterAnswer> {
  const { url, method, apiKey, isTunnel = false, body, timeoutMs, signal } = asked;
  const deadline = AbortSignal.timeout(timeoutMs);
  const text = body === undefined ? undefined : JSON.stringify(body);
  const ended = signal ? AbortSignal.any([signal, deadline]) : deadline;
  try {
    return await new Promise<RouterAnswer>((resolve, reject) => {
      const sent = (url.startsWith('https:') ? requestTls : requestPlain)(url, {
        ...{ method, agent: false, signal: ended },
        ...(isTunnel && { rejectUnauthorized: false }),
        headers: {
          ...(apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` }),
          ...(text === undefined
            ? {}
            : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }),
        },
      });
      sent.on('error', reject);
      sent.on('response', (response) => {
        const chunks: Buffer[] = [];
        let bytes = 0;
        response.on('data', (chunk: Buffer) => {
          bytes += chunk.length;
          if (bytes > bodyBytesMax) response.destroy(new Error('the response is too long'));
          else chunks.push(chunk);
        });
        response.on('error', reject);
        response.on('end', () => {
          const headers = Object.entries(response.headers).map(
            ([name, value]) => [name, String(value)] as const,
          );
          const answer = Buffer.concat(chunks).toString();
          resolve({ status: response.statusCode ?? 0, headers: new Map(headers), body: answer });
        });
      });
      sent.end(text);
    });
  } catch (cause) {
    signal?.throwIfAborted();
    if (deadline.aborted) throw new Error(`no response within ${timeoutMs / 1000} s`, { cause });
    const { message, code } = cause as NodeJS.ErrnoException;
    throw new Error(message || code || 'no response', { cause });
  }
}
