// Follows the framing of a chunked body (RFC 9112 §7.1) byte by byte, however the bytes are split.
// It never copies: a relay forwards the same bytes, a decoder receives the data spans.
import {
  byteClasses,
  byteColon,
  byteCr,
  byteLf,
  classFieldValue,
  classToken,
} from './byte-classes.ts';
import { HttpSyntaxError } from './syntax-error.ts';

/** 12 hexadecimal digits stay below 2^48, so sizes are exact in a double. */
const sizeDigitsMax = 12;
/** Maximum number of bytes in chunk extensions of one message; nothing in use needs them. */
const extensionBytesMax = 1024;
/** Maximum number of bytes in trailers of one message. */
const trailerBytesMax = 8192;

const states = {
  size: 0,
  sizeLf: 1,
  extensionName: 2,
  extensionValue: 3,
  data: 4,
  dataCr: 5,
  dataLf: 6,
  trailerStart: 7,
  trailerName: 8,
  trailerValue: 9,
  trailerLf: 10,
  finalLf: 11,
  done: 12,
} as const;

/** Receives the data of a chunked body, span by span. */
export type SpanSink = (bytes: Buffer, start: number, end: number) => void;

export class ChunkedReader {
  #state: number = states.size;
  #size = 0;
  #sizeDigits = 0;
  #extensionBytes = 0;
  #trailerBytes = 0;
  #hasTrailers = false;
  #tokenBytes = 0;
  /**
   * Index in the bytes last read where the data of the newest chunk started; -1 if none started
   * there.
   */
  dataStart = -1;
  /** Index in the bytes last read from which on they are trailers; -1 if there are none in them. */
  trailersStart = -1;
  /** Number of chunks with data that have begun so far. */
  chunks = 0;

  get done(): boolean {
    return this.#state === states.done;
  }

  /** Whether the next byte would start a chunk. */
  get betweenChunks(): boolean {
    return this.#state === states.size && this.#sizeDigits === 0;
  }

  /**
   * Reads more bytes.
   *
   * @param sink Called with each span of data; omit it to only follow the framing.
   * @returns The index after the last byte that belongs to the body; less than `end` only when
   * done.
   * @throws {HttpSyntaxError} On a framing error.
   */
  read(bytes: Buffer, start: number, end: number, sink?: SpanSink): number {
    let index = start;
    this.dataStart = -1;
    this.trailersStart = this.#hasTrailers ? start : -1;
    while (index < end && this.#state !== states.done) {
      if (this.#state === states.data) {
        const take = Math.min(this.#size, end - index);
        if (sink !== undefined) sink(bytes, index, index + take);
        this.#size -= take;
        index += take;
        if (this.#size === 0) this.#state = states.dataCr;
        continue;
      }
      this.#step(bytes[index] as number);
      index++;
      if (this.#state === states.data) {
        this.dataStart = index;
        this.chunks++;
      } else if (this.#state === states.trailerName && !this.#hasTrailers) {
        this.#hasTrailers = true;
        this.trailersStart = index - 1;
      }
    }
    return index;
  }

  #step(byte: number): void {
    switch (this.#state) {
      case states.size:
        this.#readSize(byte);
        return;
      case states.extensionName:
      case states.extensionValue:
        this.#readExtension(byte);
        return;
      case states.sizeLf:
        expect(byte, byteLf);
        this.#state = this.#size === 0 ? states.trailerStart : states.data;
        return;
      case states.dataCr:
        expect(byte, byteCr);
        this.#state = states.dataLf;
        return;
      case states.dataLf:
        expect(byte, byteLf);
        this.#state = states.size;
        this.#sizeDigits = 0;
        return;
      case states.finalLf:
        expect(byte, byteLf);
        this.#state = states.done;
        return;
      default:
        this.#readTrailer(byte);
    }
  }

  #readSize(byte: number): void {
    const digit = hexDigit(byte);
    if (digit >= 0) {
      if (++this.#sizeDigits > sizeDigitsMax) throw new HttpSyntaxError(400, 'Chunk too large');
      this.#size = this.#size * 16 + digit;
      return;
    }
    if (this.#sizeDigits === 0) throw new HttpSyntaxError(400, 'Malformed chunk size');
    this.#endOfSizeOr(byte);
  }

  /** After a size or an extension: CR ends the line, ";" starts another extension. */
  #endOfSizeOr(byte: number): void {
    if (byte === byteCr) this.#state = states.sizeLf;
    else if (byte === 0x3b) {
      this.#state = states.extensionName;
      this.#tokenBytes = 0;
    } else throw new HttpSyntaxError(400, 'Malformed chunk size');
  }

  /** Reads `;name` or `;name=value`, tokens only, because parsers disagree about quoted strings. */
  #readExtension(byte: number): void {
    if (++this.#extensionBytes > extensionBytesMax) {
      throw new HttpSyntaxError(400, `More than ${extensionBytesMax} bytes of chunk extensions`);
    }
    if (((byteClasses[byte] as number) & classToken) !== 0) {
      this.#tokenBytes++;
      return;
    }
    if (this.#tokenBytes === 0) throw new HttpSyntaxError(400, 'Malformed chunk extension');
    if (byte === 0x3d && this.#state === states.extensionName) {
      this.#state = states.extensionValue;
      this.#tokenBytes = 0;
      return;
    }
    this.#endOfSizeOr(byte);
  }

  #readTrailer(byte: number): void {
    if (++this.#trailerBytes > trailerBytesMax) {
      throw new HttpSyntaxError(431, `More than ${trailerBytesMax} bytes of trailers`);
    }
    const classes = byteClasses[byte] as number;
    switch (this.#state) {
      case states.trailerStart:
        if (byte === byteCr) this.#state = states.finalLf;
        else if ((classes & classToken) !== 0) this.#state = states.trailerName;
        else throw new HttpSyntaxError(400, 'Malformed trailer');
        return;
      case states.trailerName:
        if (byte === byteColon) this.#state = states.trailerValue;
        else if ((classes & classToken) === 0) throw new HttpSyntaxError(400, 'Malformed trailer');
        return;
      case states.trailerValue:
        if (byte === byteCr) this.#state = states.trailerLf;
        else if ((classes & classFieldValue) === 0) {
          throw new HttpSyntaxError(400, 'Malformed trailer');
        }
        return;
      default:
        expect(byte, byteLf);
        this.#state = states.trailerStart;
    }
  }
}

function expect(byte: number, wanted: number): void {
  if (byte !== wanted) throw new HttpSyntaxError(400, 'Malformed chunked body');
}

function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x61 + 10 : -1;
}
