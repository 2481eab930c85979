// Parses the head of an engine's response, with the same narrow grammar as that of a request.
import { STATUS_CODES } from '../node-http/index.ts';
import { byteClasses, byteCr, byteLf, byteSpace, classFieldValue } from './byte-classes.ts';
import { type Headers, parseHeaderLines } from './header-lines.ts';
import { headerKinds } from './header-names.ts';
import { connectionPersists, headBytesMax, joined, parseContentLength } from './request-head.ts';
import { spells } from './spells.ts';
import { HttpSyntaxError } from './syntax-error.ts';

export interface ResponseHead {
  readonly status: number;
  readonly reason: string;
  readonly headers: Headers;
  /** How the body ends (RFC 9112 §6.3). */
  readonly framing: 'none' | 'length' | 'chunked' | 'until-close';
  /** Size of the body; meaningful only with framing "length". */
  readonly contentLength: number;
  /** `Content-Encoding`: the codings of the body, with commas; undefined if there are none. */
  readonly contentEncoding?: string | undefined;
  /** Whether the connection may serve another request after this one. */
  readonly keepAlive: boolean;
  readonly headBytes: number;
}

/**
 * Parses a response head.
 *
 * @param toHead Whether it responds to a HEAD request and so has no body, whatever its headers say.
 * @returns undefined if `end` comes before the end of the head.
 * @throws {HttpSyntaxError} If no continuation of these bytes would be accepted.
 */
export function parseResponseHead(
  bytes: Buffer,
  position: number,
  end: number,
  toHead: boolean,
): ResponseHead | undefined {
  // "HTTP/1.1 200" is the shortest start that can be parsed.
  if (end - position < 13) return undefined;
  if (!spells(bytes, position, position + 7, 'HTTP/1.')) {
    throw new HttpSyntaxError(400, 'Not an HTTP/1.x response');
  }
  const minorVersion = (bytes[position + 7] as number) - 0x30;
  if ((minorVersion !== 0 && minorVersion !== 1) || bytes[position + 8] !== byteSpace) {
    throw new HttpSyntaxError(400, 'Malformed status line');
  }
  const status = parseStatus(bytes, position + 9);
  let index = position + 12;
  if (bytes[index] === byteSpace) index++;
  else if (bytes[index] !== byteCr) throw new HttpSyntaxError(400, 'Malformed status line');
  const reasonStart = index;
  while (index < end && ((byteClasses[bytes[index] as number] as number) & classFieldValue) !== 0) {
    index++;
  }
  const reasonEnd = index;
  if (index + 1 >= end) return tooLargeOr(undefined, end - position);
  if (bytes[index] !== byteCr || bytes[index + 1] !== byteLf) {
    throw new HttpSyntaxError(400, 'Malformed status line');
  }
  const headers = parseHeaderLines(bytes, index + 2, end);
  if (headers === undefined) return tooLargeOr(undefined, end - position);
  const headBytes = index + 2 + headers.bytes - position;
  const reason = reasonOf(bytes, reasonStart, reasonEnd, status);
  return tooLargeOr(interpret(status, reason, minorVersion, headers, headBytes, toHead), headBytes);
}

function reasonOf(bytes: Buffer, start: number, end: number, status: number): string {
  const usual = STATUS_CODES[status];
  if (usual !== undefined && spells(bytes, start, end, usual)) return usual;
  return bytes.toString('latin1', start, end);
}

function tooLargeOr<T>(value: T, headBytes: number): T {
  if (headBytes > headBytesMax) {
    throw new HttpSyntaxError(431, `Response head larger than ${headBytesMax} bytes`);
  }
  return value;
}

function parseStatus(bytes: Buffer, start: number): number {
  const hundreds = (bytes[start] as number) - 0x30;
  const tens = (bytes[start + 1] as number) - 0x30;
  const ones = (bytes[start + 2] as number) - 0x30;
  const isDigit = (n: number) => n >= 0 && n <= 9;
  if (hundreds < 1 || hundreds > 5 || !isDigit(tens) || !isDigit(ones)) {
    throw new HttpSyntaxError(400, 'Malformed status');
  }
  return hundreds * 100 + tens * 10 + ones;
}

function interpret(
  status: number,
  reason: string,
  minorVersion: 0 | 1,
  headers: Headers,
  headBytes: number,
  toHead: boolean,
): ResponseHead {
  let contentLength = -1;
  let chunked = false;
  let keepAlive = minorVersion === 1;
  let contentEncoding: string | undefined;
  const { kinds, values } = headers;
  for (let i = 0; i < kinds.length; i++) {
    const value = values[i] as string;
    switch (kinds[i]) {
      case headerKinds.contentLength:
        if (contentLength !== -1) throw new HttpSyntaxError(400, 'More than one Content-Length');
        contentLength = parseContentLength(value);
        break;
      case headerKinds.transferEncoding:
        if (chunked || value.toLowerCase() !== 'chunked' || minorVersion === 0) {
          throw new HttpSyntaxError(400, 'Unknown Transfer-Encoding');
        }
        chunked = true;
        break;
      case headerKinds.connection:
        keepAlive = connectionPersists(value, keepAlive);
        break;
      case headerKinds.contentEncoding:
        if (!/^(?:identity)?$/i.test(value)) contentEncoding = joined(contentEncoding, value);
        break;
      default:
    }
  }
  if (chunked && contentLength !== -1) {
    throw new HttpSyntaxError(400, 'Both Content-Length and Transfer-Encoding');
  }
  let framing: ResponseHead['framing'];
  if (toHead || status < 200 || status === 204 || status === 304) framing = 'none';
  else if (chunked) framing = 'chunked';
  else if (contentLength === 0) framing = 'none';
  else if (contentLength > 0) framing = 'length';
  else framing = 'until-close';
  return {
    status,
    reason,
    headers,
    framing,
    contentLength,
    contentEncoding,
    keepAlive: keepAlive && framing !== 'until-close',
    headBytes,
  };
}
