// The id of a response: the client's, or sixteen random hexadecimal digits.
import { randomHex } from '../base/random-hex.ts';
import type { Exchange } from './exchange.ts';

/** @param prefix `chatcmpl` or `cmpl`. @param own `request_id` of the body. */
export function requestId(
  exchange: Exchange,
  prefix: string,
  own: string | null | undefined,
): string {
  return `${prefix}-${exchange.header('x-request-id') ?? own ?? randomHex(8)}`;
}
