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

/** Asking for them one id at a time costs more than the rest of a small answer's bookkeeping. */
const pooledBytes = 4096;
let pool = Buffer.alloc(0);
let used = 0;

/** @param bytes At most 4,096. */
export function randomHex(bytes: number): string {
  if (used + bytes > pool.length) {
    pool = randomBytes(pooledBytes);
    used = 0;
  }
  used += bytes;
  return pool.toString('hex', used - bytes, used);
}
