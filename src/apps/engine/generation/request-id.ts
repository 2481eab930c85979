// Ids of answers: the client's, or sixteen random hexadecimal digits.
import { randomBytes } from 'node:crypto';
import type { Exchange } from '../http/exchange.ts';

/** @param prefix `chatcmpl` or `cmpl`. @param own `request_id` of the body. */
export function requestId(
  exchange: Exchange,
  prefix: string,
  own: string | null | undefined,
): string {
  return `${prefix}-${exchange.header('x-request-id') ?? own ?? randomHex(8)}`;
}

export function randomHex(bytes: number): string {
  return randomBytes(bytes).toString('hex');
}
