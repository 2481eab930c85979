// Parses the header fields of a request, a response or a trailer by the narrow grammar of RFC 9112
// §5: no obsolete line folding, no bare LF, no space before the colon.
import {
  byteClasses,
  byteColon,
  byteCr,
  byteLf,
  byteSpace,
  byteTab,
  classFieldValue,
  classToken,
} from './byte-classes.ts';
import { findKnownHeader, type HeaderKind, hashHeaderByte, headerKinds } from './header-names.ts';
import { HttpSyntaxError } from './syntax-error.ts';

/**
 * Maximum number of header fields in one message; Node and nginx allow about as many in practice.
 */
const headersMax = 128;

/** Header fields in the order of their arrival. */
export class Headers {
  /** Lower case. */
  readonly names: string[];
  /** Without surrounding white space; bytes above 0x7f as Latin-1. */
  readonly values: string[];
  readonly kinds: HeaderKind[];
  /** Size of the header lines, the empty line included. */
  readonly bytes: number;

  /** @param length Number of fields that the caller sets. An array that grows from nothing gets room for 17. */
  constructor(length = 0, bytes = 0) {
    this.names = new Array<string>(length);
    this.values = new Array<string>(length);
    this.kinds = new Array<HeaderKind>(length);
    this.bytes = bytes;
  }

  /** Returns the first value of a lower-case name. */
  get(name: string): string | undefined {
    const index = this.names.indexOf(name);
    return index < 0 ? undefined : this.values[index];
  }
}

// Offsets of the message being parsed. Parsing is synchronous, so one buffer serves all messages.
const nameStarts = new Int32Array(headersMax);
const nameEnds = new Int32Array(headersMax);
const valueStarts = new Int32Array(headersMax);
const valueEnds = new Int32Array(headersMax);
const hashes = new Int32Array(headersMax);

/**
 * Parses header lines up to and including the empty line.
 *
 * @param bytes Contains the message; `position` is at the first header line.
 * @returns Undefined if `end` comes before the empty line.
 * @throws {HttpSyntaxError} If the bytes cannot be the start of header lines.
 */
export function parseHeaderLines(
  bytes: Buffer,
  position: number,
  end: number,
): Headers | undefined {
  const start = position;
  let count = 0;
  let index = position;
  for (;;) {
    if (index >= end) return undefined;
    let byte = bytes[index] as number;
    if (byte === byteCr) {
      if (index + 1 >= end) return undefined;
      if (bytes[index + 1] !== byteLf) throw new HttpSyntaxError(400, 'CR without LF');
      break;
    }
    if (count === headersMax) {
      throw new HttpSyntaxError(431, `More than ${headersMax} header fields`);
    }
    let hash = 0;
    const nameStart = index;
    while (((byteClasses[byte] as number) & classToken) !== 0) {
      hash = hashHeaderByte(hash, byte);
      if (++index >= end) return undefined;
      byte = bytes[index] as number;
    }
    if (byte !== byteColon || index === nameStart) {
      throw new HttpSyntaxError(400, 'Malformed header field name');
    }
    nameStarts[count] = nameStart;
    nameEnds[count] = index;
    hashes[count] = hash;
    do {
      if (++index >= end) return undefined;
      byte = bytes[index] as number;
    } while (byte === byteSpace || byte === byteTab);
    valueStarts[count] = index;
    while (((byteClasses[byte] as number) & classFieldValue) !== 0) {
      if (++index >= end) return undefined;
      byte = bytes[index] as number;
    }
    if (byte !== byteCr) throw new HttpSyntaxError(400, 'Control byte in a header field value');
    let valueEnd = index;
    const valueStart = valueStarts[count] as number;
    while (valueEnd > valueStart) {
      const last = bytes[valueEnd - 1];
      if (last !== byteSpace && last !== byteTab) break;
      valueEnd--;
    }
    valueEnds[count] = valueEnd;
    if (++index >= end) return undefined;
    if (bytes[index] !== byteLf) throw new HttpSyntaxError(400, 'CR without LF');
    index++;
    count++;
  }
  return collect(bytes, start, index, count);
}

/** Turns the offsets into strings: converts the whole head once, then slices it. */
function collect(bytes: Buffer, start: number, end: number, count: number): Headers {
  const headers = new Headers(count, end + 2 - start);
  const text = bytes.toString('latin1', start, end);
  for (let i = 0; i < count; i++) {
    const nameStart = nameStarts[i] as number;
    const nameEnd = nameEnds[i] as number;
    const known = findKnownHeader(bytes, nameStart, nameEnd, hashes[i] as number);
    headers.names[i] =
      known === undefined
        ? text.slice(nameStart - start, nameEnd - start).toLowerCase()
        : known.name;
    headers.kinds[i] = known === undefined ? headerKinds.endToEnd : known.kind;
    if (known?.kind === headerKinds.transferEncoding) refuseTab(bytes, valueEnds[i] as number);
    headers.values[i] = text.slice(
      (valueStarts[i] as number) - start,
      (valueEnds[i] as number) - start,
    );
  }
  return headers;
}

/**
 * Refuses a tab after the name of a transfer encoding. RFC 9112 allows it, but llhttp, which Node uses, does not
 * recognize the encoding then, so that two servers would disagree about where the message ends.
 */
function refuseTab(bytes: Buffer, valueEnd: number): void {
  for (let index = valueEnd; bytes[index] !== byteCr; index++) {
    if (bytes[index] === byteTab) throw new HttpSyntaxError(400, 'Tab after a transfer encoding');
  }
}
