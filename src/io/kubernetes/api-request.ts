// Requests to an API server.
import type { IncomingMessage } from 'node:http';
import { version } from '../../core/base/index.ts';
import { statusMessage } from '../../core/kubernetes/index.ts';
import { request as requestPlain } from '../node-http/index.ts';
import type { ClusterAccess } from './cluster-access.ts';

/** The API server responded with another status than 200. */
export class ApiStatusError extends Error {
  readonly status: number;
  /** What `Retry-After` asks for; 0 without one. */
  readonly retryAfterSeconds: number;

  constructor(status: number, message: string, retryAfterSeconds: number) {
    super(`status ${status}${message === '' ? '' : `: ${message}`}`);
    this.status = status;
    this.retryAfterSeconds = retryAfterSeconds;
  }
}

/** A response has more bytes than its reader takes. */
export class TooLargeError extends Error {
  constructor(bytesMax: number) {
    super(`the response is larger than ${bytesMax} bytes`);
  }
}

export interface ApiRequest {
  /** With the query. */
  readonly path: string;
  readonly signal: AbortSignal;
  /** Maximum wait for the head of the response, credentials and connection included. */
  readonly headTimeoutMs: number;
}

const errorBytesMax = 65_536;

/**
 * Sends a GET request. Resolves with the response to read; destroy it to end it early.
 *
 * @throws {ApiStatusError} If the status is not one of success.
 * @throws {Error} If there is no response in time, or the signal is aborted.
 */
export async function apiGet(access: ClusterAccess, asked: ApiRequest): Promise<IncomingMessage> {
  return respond(access, { ...asked, method: 'GET' });
}

/** A request that changes an object, or reads a single one. */
export interface ApiCall {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** With the query. */
  readonly path: string;
  readonly body?: string;
  /** Of the body. */
  readonly contentType?: string;
  readonly signal?: AbortSignal;
  /** Maximum time for the whole call. @default 30000 */
  readonly timeoutMs?: number;
}

const callTimeoutDefaultMs = 30_000;
/** An object is at most 1.5 MiB in etcd; its JSON is longer. */
const objectBytesMax = 8 * 1_048_576;

/**
 * Sends a request and returns the body of the response.
 *
 * @throws {ApiStatusError} If the status is not one of success.
 * @throws {Error} If there is no response in time, or the signal is aborted.
 */
export async function apiSend(access: ClusterAccess, call: ApiCall): Promise<string> {
  const { timeoutMs = callTimeoutDefaultMs, signal = new AbortController().signal } = call;
  const response = await respond(access, { ...call, signal, headTimeoutMs: timeoutMs });
  return readText(response, { signal, timeoutMs, bytesMax: objectBytesMax });
}

interface Asked extends ApiRequest {
  readonly method: string;
  readonly body?: string | undefined;
  readonly contentType?: string | undefined;
}

async function respond(access: ClusterAccess, asked: Asked): Promise<IncomingMessage> {
  const { signal, headTimeoutMs } = asked;
  const deadline = AbortSignal.timeout(headTimeoutMs);
  const response = await head(access, asked, AbortSignal.any([deadline, signal])).catch((cause) => {
    if (deadline.aborted && !signal.aborted) throw new Error('no response in time', { cause });
    throw cause;
  });
  const status = response.statusCode ?? 0;
  if (status >= 200 && status < 300) return response;
  if (status === 401) access.refused();
  const text = await readText(response, {
    signal,
    timeoutMs: headTimeoutMs,
    bytesMax: errorBytesMax,
  }).catch(() => '');
  throw new ApiStatusError(status, statusMessage(text), retryAfter(response));
}

/**
 * Reads the body.
 *
 * @throws {TooLargeError} If it is larger than `bytesMax`.
 * @throws {Error} If it is not complete in time, or the signal is aborted.
 */
export async function readText(
  response: IncomingMessage,
  limits: { readonly signal: AbortSignal; readonly timeoutMs: number; readonly bytesMax: number },
): Promise<string> {
  const { signal, timeoutMs, bytesMax } = limits;
  const ended = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
  const abort = () => response.destroy(ended.reason as Error);
  ended.addEventListener('abort', abort, { once: true });
  try {
    const chunks: Buffer[] = [];
    let bytes = 0;
    for await (const chunk of response as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > bytesMax) throw new TooLargeError(bytesMax);
      chunks.push(chunk);
    }
    return Buffer.concat(chunks).toString();
  } finally {
    ended.removeEventListener('abort', abort);
  }
}

/** Sends the request, and resolves with the head of the response. */
async function head(
  access: ClusterAccess,
  { method, path, body, contentType }: Asked,
  ended: AbortSignal,
): Promise<IncomingMessage> {
  const options = await access.requestOptions();
  if (ended.aborted) throw ended.reason;
  const url = new URL(access.server + path);
  const request = url.protocol === 'https:' ? (await import('node:https')).request : requestPlain;
  return await new Promise((resolve, reject) => {
    const sent = request(url, {
      ...options,
      method,
      headers: {
        ...(options.headers as Record<string, string>),
        accept: 'application/json',
        ...(contentType === undefined ? {} : { 'content-type': contentType }),
        ...(body === undefined ? {} : { 'content-length': Buffer.byteLength(body) }),
        'user-agent': `spillway/${version}`,
      },
    });
    const abort = () => sent.destroy(ended.reason as Error);
    ended.addEventListener('abort', abort, { once: true });
    sent.on('error', reject);
    sent.on('response', (response) => {
      ended.removeEventListener('abort', abort);
      resolve(response);
    });
    sent.end(body);
  });
}

function retryAfter(response: IncomingMessage): number {
  const seconds = Number(response.headers['retry-after']);
  return Number.isFinite(seconds) && seconds > 0 ? seconds : 0;
}
