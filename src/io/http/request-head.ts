// Parses the head of a request from an untrusted client. Accepts less than RFC 9112 allows: it
// refuses everything that two implementations might read differently, which prevents request
// smuggling.
import { byteClasses, byteCr, byteLf, byteSpace, classHost, classTarget } from './byte-classes.ts';
import { type Headers, parseHeaderLines } from './header-lines.ts';
import { headerKinds } from './header-names.ts';
import { spells } from './spells.ts';
import { HttpSyntaxError } from './syntax-error.ts';

/**
 * Maximum size of a request or response head; nginx allows 32 KiB (large_client_header_buffers).
 */
export const headBytesMax = 32_768;
/** Maximum size of a request target. */
const targetBytesMax = 8_192;

/** Supported methods; any other method gets status 501. */
const methods: readonly string[] = ['POST', 'GET', 'DELETE', 'HEAD', 'OPTIONS', 'PUT', 'PATCH'];
const methodBytesMax = Math.max(...methods.map((method) => method.length));

export interface RequestHead {
  readonly method: string;
  /** Path and query, starting with "/"; an absolute-form target without its authority. */
  readonly target: string;
  readonly minorVersion: 0 | 1;
  readonly headers: Headers;
  /** Size of the body; -1 if it is chunked, 0 if there is none. */
  readonly contentLength: number;
  readonly expectsContinue: boolean;
  /** `Content-Encoding`: the codings of the body, with commas; undefined if there are none. */
  readonly contentEncoding?: string | undefined;
  /** Whether the connection may serve another request after this one. */
  readonly keepAlive: boolean;
  /** Size of the head itself, from `position` to the first body byte. */
  readonly headBytes: number;
}

/**
 * Parses a request head.
 *
 * @param position Index of the head's first byte.
 * @returns undefined if `end` comes before the end of the head.
 * @throws {HttpSyntaxError} If no continuation of these bytes would be accepted.
 * @see https://www.rfc-editor.org/rfc/rfc9112
 */
export function parseRequestHead(
  bytes: Buffer,
  position: number,
  end: number,
): RequestHead | undefined {
  let index = position;
  // RFC 9112 §2.2: a server should ignore one empty line before the request line.
  if (bytes[index] === byteCr && index < end) {
    if (index + 1 >= end) return undefined;
    if (bytes[index + 1] !== byteLf) throw new HttpSyntaxError(400, 'CR without LF');
    index += 2;
  }
  const methodEnd = endOfMethod(bytes, index, end);
  if (methodEnd === 0) return undefined;
  const method = methodOf(bytes, index, methodEnd);
  const targetStart = methodEnd + 1;
  index = targetStart;
  while (index < end && ((byteClasses[bytes[index] as number] as number) & classTarget) !== 0) {
    index++;
  }
  if (index - targetStart > targetBytesMax) {
    throw new HttpSyntaxError(414, `Request target longer than ${targetBytesMax} bytes`);
  }
  const targetEnd = index;
  if (index >= end) return undefined;
  if (bytes[index] !== byteSpace || index === targetStart) {
    throw new HttpSyntaxError(400, 'Malformed request target');
  }
  // "HTTP/1.1" CR LF
  if (index + 11 > end) {
    checkPartialVersion(bytes, index + 1, end);
    return undefined;
  }
  const minorVersion = parseVersion(bytes, index + 1);
  index += 11;
  const headers = parseHeaderLines(bytes, index, end);
  const headBytes = (headers === undefined ? end : index + headers.bytes) - position;
  if (headBytes > headBytesMax) throw headTooLarge();
  if (headers === undefined) return undefined;
  const target = targetOf(bytes, targetStart, targetEnd);
  return interpret(method, target, minorVersion, headers, headBytes);
}

function headTooLarge(): HttpSyntaxError {
  return new HttpSyntaxError(431, `Request head larger than ${headBytesMax} bytes`);
}

/** Returns the index of the space after the method; 0 if it has not arrived yet. */
function endOfMethod(bytes: Buffer, start: number, end: number): number {
  let index = start;
  while (index < end) {
    const byte = bytes[index] as number;
    if (byte === byteSpace && index > start) return index;
    if (byte < 0x41 || byte > 0x5a) throw new HttpSyntaxError(400, 'Malformed request method');
    if (index - start >= methodBytesMax) throw new HttpSyntaxError(501, 'Unknown request method');
    index++;
  }
  return 0;
}

function methodOf(bytes: Buffer, start: number, end: number): string {
  for (const method of methods) if (spells(bytes, start, end, method)) return method;
  throw new HttpSyntaxError(501, 'Unknown request method');
}

/** Most requests have the same one: its string has been hashed already when a route is looked up. */
let lastTarget = '';

function targetOf(bytes: Buffer, start: number, end: number): string {
  if (!spells(bytes, start, end, lastTarget)) lastTarget = bytes.toString('latin1', start, end);
  return lastTarget;
}

const versionText = 'HTTP/1.';

/**
 * Rejects early what can no longer become a version, so that the parser does not wait after a bare
 * LF.
 */
function checkPartialVersion(bytes: Buffer, start: number, end: number): void {
  for (let i = start; i < Math.min(end, start + 5); i++) {
    if (bytes[i] !== versionText.charCodeAt(i - start)) {
      throw new HttpSyntaxError(400, 'Malformed HTTP version');
    }
  }
  if (end > start + 8 && bytes[start + 8] !== byteCr) {
    throw new HttpSyntaxError(400, 'Malformed request line');
  }
}

/** Parses `HTTP/1.x` CR LF at `start`; the caller has checked that ten bytes are there. */
function parseVersion(bytes: Buffer, start: number): 0 | 1 {
  for (let i = 0; i < 5; i++) {
    if (bytes[start + i] !== versionText.charCodeAt(i)) {
      throw new HttpSyntaxError(400, 'Malformed HTTP version');
    }
  }
  if (bytes[start + 8] !== byteCr || bytes[start + 9] !== byteLf) {
    throw new HttpSyntaxError(400, 'Malformed request line');
  }
  const minor = (bytes[start + 7] as number) - 0x30;
  if (bytes[start + 5] !== 0x31 || bytes[start + 6] !== 0x2e || (minor !== 0 && minor !== 1)) {
    throw new HttpSyntaxError(505, 'Only HTTP/1.0 and HTTP/1.1 are supported');
  }
  return minor;
}

/** Reads the headers that decide framing, and refuses every ambiguity. */
function interpret(
  method: string,
  rawTarget: string,
  minorVersion: 0 | 1,
  headers: Headers,
  headBytes: number,
): RequestHead {
  let contentLength = -2;
  let chunked = false;
  let hosts = 0;
  let keepAlive = minorVersion === 1;
  let expectsContinue = false;
  let contentEncoding: string | undefined;
  const { kinds, values } = headers;
  for (let i = 0; i < kinds.length; i++) {
    const value = values[i] as string;
    switch (kinds[i]) {
      case headerKinds.host:
        if (++hosts > 1) throw new HttpSyntaxError(400, 'More than one Host');
        checkHost(value);
        break;
      case headerKinds.contentLength:
        if (contentLength !== -2) throw new HttpSyntaxError(400, 'More than one Content-Length');
        contentLength = parseContentLength(value);
        break;
      case headerKinds.transferEncoding:
        if (chunked) throw new HttpSyntaxError(400, 'More than one Transfer-Encoding');
        if (minorVersion === 0) throw new HttpSyntaxError(400, 'Transfer-Encoding in HTTP/1.0');
        if (value.toLowerCase() !== 'chunked') {
          throw new HttpSyntaxError(501, 'Only the transfer encoding "chunked" is supported');
        }
        chunked = true;
        break;
      case headerKinds.connection:
        keepAlive = connectionPersists(value, keepAlive);
        break;
      case headerKinds.expect:
        if (value.toLowerCase() !== '100-continue') {
          throw new HttpSyntaxError(417, 'Only the expectation "100-continue" is supported');
        }
        expectsContinue = minorVersion === 1;
        break;
      case headerKinds.contentEncoding:
        contentEncoding = joined(contentEncoding, value);
        break;
      default:
    }
  }
  if (hosts === 0 && minorVersion === 1) throw new HttpSyntaxError(400, 'Host is missing');
  if (chunked && contentLength !== -2) {
    throw new HttpSyntaxError(400, 'Both Content-Length and Transfer-Encoding');
  }
  return {
    method,
    target: originForm(rawTarget),
    minorVersion,
    headers,
    contentLength: chunked ? -1 : Math.max(contentLength, 0),
    expectsContinue,
    contentEncoding,
    keepAlive,
    headBytes,
  };
}

/** A list header that comes in several lines. @param before Undefined for the first one. */
export function joined(before: string | undefined, value: string): string {
  return before === undefined ? value : `${before}, ${value}`;
}

/** @throws {HttpSyntaxError} Unless the value is plain decimal digits below 2^53. */
export function parseContentLength(value: string): number {
  let length = 0;
  for (let i = 0; i < value.length; i++) {
    const digit = value.charCodeAt(i) - 0x30;
    if (digit < 0 || digit > 9 || i === 15) throw malformedContentLength();
    length = 10 * length + digit;
  }
  if (value === '') throw malformedContentLength();
  return length;
}

function malformedContentLength(): HttpSyntaxError {
  return new HttpSyntaxError(400, 'Malformed Content-Length');
}

/** Returns whether a connection persists after a `Connection` header; "close" wins. */
export function connectionPersists(value: string, persists: boolean): boolean {
  const lower = value.toLowerCase();
  if (lower === 'keep-alive') return true;
  if (lower === 'close') return false;
  const options = lower.split(',').map((option) => option.trim());
  if (options.includes('close')) return false;
  return persists || options.includes('keep-alive');
}

function checkHost(value: string): void {
  for (let i = 0; i < value.length; i++) {
    if (((byteClasses[value.charCodeAt(i)] as number) & classHost) === 0) {
      throw new HttpSyntaxError(400, 'Malformed Host');
    }
  }
}

/** Returns path and query of a target; removes scheme and authority of an absolute-form target. */
function originForm(target: string): string {
  if (target.charCodeAt(0) === 0x2f) return target;
  const absolute = /^https?:\/\/([^/?]+)(\/[^?]*)?(\?.*)?$/i.exec(target);
  if (absolute === null) throw new HttpSyntaxError(400, 'Malformed request target');
  checkHost(absolute[1] as string);
  return `${absolute[2] ?? '/'}${absolute[3] ?? ''}`;
}
