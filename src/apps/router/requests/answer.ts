// Complete responses that the router itself sends.

import type { ServerExchange } from '../../../io/http/index.ts';
import { STATUS_CODES } from '../../../io/node-http/index.ts';
import { errorJson } from './error-shapes.ts';
import type { OpenAiError } from './openai-error.ts';

const json = 'application/json';
/** Seconds after which a client may try again when no engine can take its request. */
const retryAfterSeconds = 1;

/** Sends a complete response. A HEAD request gets only the head. */
export function answer(
  exchange: ServerExchange,
  status: number,
  contentType: string,
  body: string | Buffer,
  headerLines: readonly string[] = [],
): void {
  const bytes = typeof body === 'string' ? Buffer.from(body) : body;
  const lines = [`Content-Length: ${bytes.length}`, ...headerLines];
  const head = responseHead(exchange, status, contentType, lines);
  exchange.begin(head, exchange.head.method === 'HEAD' ? undefined : bytes);
  exchange.end();
}

/** The head of a response, for those that are sent in parts. @param headerLines Among them the framing. */
export function responseHead(
  exchange: ServerExchange,
  status: number,
  contentType: string,
  headerLines: readonly string[],
): string {
  return (
    statusLine(status) +
    `Date: ${new Date().toUTCString()}\r\n` +
    `Content-Type: ${contentType}\r\n` +
    headerLines.map((line) => `${line}\r\n`).join('') +
    `${exchange.lastLines}\r\n`
  );
}

export function answerJson(exchange: ServerExchange, status: number, value: unknown): void {
  answer(exchange, status, json, JSON.stringify(value));
}

/** Sends an error object of the API that the request uses. */
export function answerError(
  exchange: ServerExchange,
  error: OpenAiError,
  requestId?: string,
  headerLines: readonly string[] = [],
): void {
  answer(exchange, error.status, json, errorJson(exchange.target, error), [
    ...(requestId === undefined ? [] : [`X-Request-Id: ${requestId}`]),
    ...(error.status === 503 ? [`Retry-After: ${retryAfterSeconds}`] : []),
    ...headerLines,
  ]);
}

/**
 * The complete response to a request that does not become an exchange.
 *
 * @param target Of the request; undefined if its head could not be read.
 */
export function refusalText(status: number, message: string, target = ''): string {
  const body = errorJson(target, { status, message });
  return (
    statusLine(status) +
    `Date: ${new Date().toUTCString()}\r\n` +
    `Content-Type: ${json}\r\n` +
    `Content-Length: ${Buffer.byteLength(body)}\r\n` +
    (status === 503 ? `Retry-After: ${retryAfterSeconds}\r\n` : '') +
    `Connection: close\r\n\r\n${body}`
  );
}

function statusLine(status: number): string {
  return `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n`;
}
