// Reads the requests of Redis clients (RESP): arrays of bulk strings, or lines of words. Large values are handed on as
// they arrive, so that they can go straight to where they are kept.

import { latin1Text } from '../base/index.ts';
import { inlineWords } from './inline-words.ts';

/** Bulk strings up to this size are collected; larger ones are streamed. */
export const collectedBytesMax = 64 << 10;
/** Longest line: a number, or an inline command. Redis allows 64 KiB. */
const lineBytesMax = 64 << 10;
/** Arguments of one command. Redis allows a million; a client of a KV cache needs a few per key. */
const argumentsMax = 65_536;
/** Bytes of all collected arguments of one command. */
const commandBytesMax = 16 << 20;
/** Arguments, and bytes of each, before a client has given its password; Redis' own limits. */
const strangerArgumentsMax = 10;
const strangerBytesMax = 16 << 10;
/** What a word takes in memory beside its bytes. */
const wordBytes = 64;
/** Memory for lines and arguments that come in pieces: at first, and what a connection keeps of it between two commands. */
const firstBytes = 256;
const keptBytesMax = 4 << 10;
/** Redis' own limit of a bulk string. */
const bulkBytesMax = 512 << 20;

/** Receives a value that is streamed. */
export interface BulkSink {
  write(bytes: Uint8Array): void;
  /** Memory in which the next bytes may be received; undefined if they have to be written. @default there is none */
  space?(): Uint8Array | undefined;
  /** Counts bytes that have been received in `space`. */
  filled?(count: number): void;
  /** The command is complete. @param args All arguments, the streamed one as an empty text. */
  end(args: readonly string[]): void;
}

/** What a reader found. */
export interface RequestHandler {
  /**
   * A command with its arguments, the name included; latin-1, so that each character is a byte.
   *
   * @param isInline Whether it was a line of words.
   */
  command(args: readonly string[], isInline: boolean): void;
  /**
   * An argument that is streamed has begun; a command has at most one.
   *
   * @param args The arguments before it.
   * @param size Its size in bytes.
   */
  streamed(args: readonly string[], size: number): BulkSink;
  /** A line, or a part of an argument, has been taken. May set `isPaused`. */
  taken?(): void;
}

/** The bytes are no request; the message is Redis' own. The connection has to be closed after it. */
export class RespSyntaxError extends Error {}

const carriageReturn = 13;
const newline = 10;

/**
 * Reads requests from bytes in pieces of any size, in linear time.
 *
 * @example
 * const reader = new RequestReader({ command: (args) => console.log(args), streamed });
 * reader.push(bytes); // may be stopped by `isPaused` and continued by push(new Uint8Array())
 */
export class RequestReader {
  /** Set by the handler to stop behind the line or argument that was taken last; what was pushed is kept. */
  isPaused = false;
  /** Set while the client has not said who it is: few and small arguments, as in Redis. */
  isStranger = false;
  readonly #handler: RequestHandler;
  #pending: Uint8Array[] = [];
  /** Where the first of them goes on. */
  #at = 0;
  #args: string[] = [];
  #argsBytes = 0;
  /** Of the arguments that are complete. */
  #receivedBytes = 0;
  /** Arguments of the current command; undefined between commands. */
  #count: number | undefined;
  /** The line, or the collected bulk string with its end, that is being received. */
  #collected = new Uint8Array(firstBytes);
  #collectedLength = 0;
  #bulkSize: number | undefined;
  #requests = 0;
  #sink: BulkSink | undefined;
  #sinkRest = 0;
  /** Whether the value of `#sink` and its line end are complete. */
  #isSinkFull = false;

  constructor(handler: RequestHandler) {
    this.#handler = handler;
  }

  /** Whether a command has begun and is not complete. */
  get isWaiting(): boolean {
    return this.#count !== undefined || this.#collectedLength > 0;
  }

  /** Memory of what has been received and is not a request yet; a value that is streamed is not in it. */
  get bytes(): number {
    let bytes = this.#collected.length + this.#receivedBytes + this.#args.length * wordBytes;
    for (const piece of this.#pending) bytes += piece.length;
    return bytes;
  }

  /** Requests that have begun. */
  get requests(): number {
    return this.#requests;
  }

  /**
   * Takes bytes; the caller may overwrite them afterwards.
   *
   * @throws {RespSyntaxError} If the bytes are no requests.
   */
  push(bytes: Uint8Array): void {
    if (bytes.length > 0) this.#pending.push(bytes);
    while (!this.isPaused) {
      const piece = this.#pending[0];
      if (piece === undefined) return;
      this.#at = this.#take(piece, this.#at);
      if (this.#at === piece.length) {
        this.#pending.shift();
        this.#at = 0;
      }
      this.#handler.taken?.();
    }
    // What is new and has to wait is copied; what waited before was.
    const last = this.#pending.length - 1;
    if (bytes.length === 0 || last < 0) return;
    this.#pending[last] = new Uint8Array(bytes.subarray(last === 0 ? this.#at : 0));
    if (last === 0) this.#at = 0;
  }

  /**
   * Returns memory in which the next bytes may be received in place of a `push`.
   *
   * @returns undefined unless a value is being streamed and its sink has memory.
   */
  space(): Uint8Array | undefined {
    if (this.#sinkRest === 0 || this.#pending.length > 0) return undefined;
    return this.#sink?.space?.()?.subarray(0, this.#sinkRest);
  }

  /** Counts bytes that have been received in `space`. */
  filled(count: number): void {
    this.#sinkRest -= count;
    this.#sink?.filled?.(count);
  }

  /** Takes bytes of one line, bulk string or part of a stream, from `at`; returns where it ends. */
  #take(piece: Uint8Array, at: number): number {
    if (this.#sink !== undefined && this.#sinkRest > 0) {
      const part = piece.subarray(at, at + this.#sinkRest);
      this.#sinkRest -= part.length;
      this.#sink.write(part);
      return at + part.length;
    }
    const isInSink = this.#sink !== undefined && !this.#isSinkFull;
    if (isInSink || this.#bulkSize !== undefined) return this.#takeBulk(piece, at);
    return this.#takeLine(piece, at);
  }

  /** Takes a collected bulk string with its line end, or the line end of a streamed one. */
  #takeBulk(piece: Uint8Array, at: number): number {
    const size = this.#bulkSize ?? 0;
    const end = Math.min(piece.length, at + size + 2 - this.#collectedLength);
    // One that came whole, as nearly all do, is read where it is.
    const isWhole = this.#collectedLength === 0 && end === at + size + 2;
    if (!isWhole) {
      this.#collect(piece.subarray(at, end));
      if (this.#collectedLength < size + 2) return end;
    }
    const [bytes, from] = isWhole ? [piece, at] : [this.#collected, 0];
    if (bytes[from + size] !== carriageReturn || bytes[from + size + 1] !== newline) {
      throw new RespSyntaxError('Protocol error: expected CRLF after a bulk string');
    }
    this.#collectedLength = 0;
    this.#bulkSize = undefined;
    this.#isSinkFull = this.#sink !== undefined;
    this.#argument(size === 0 ? '' : latin1Text(bytes.subarray(from, from + size)));
    return end;
  }

  #takeLine(piece: Uint8Array, at: number): number {
    const newlineAt = piece.indexOf(newline, at);
    const end = newlineAt < 0 ? piece.length : newlineAt + 1;
    if (this.#collectedLength + end - at > lineBytesMax) {
      throw new RespSyntaxError('Protocol error: too big inline request');
    }
    if (newlineAt >= 0 && this.#collectedLength === 0) {
      this.#line(latin1Text(piece.subarray(at, withoutReturn(piece, at, newlineAt))));
      return end;
    }
    this.#collect(piece.subarray(at, end));
    if (newlineAt < 0) return end;
    const length = withoutReturn(this.#collected, 0, this.#collectedLength - 1);
    const line = latin1Text(this.#collected.subarray(0, length));
    this.#collectedLength = 0;
    this.#line(line);
    return end;
  }

  #line(line: string): void {
    if (this.#count !== undefined) {
      if (line[0] !== '$') {
        throw new RespSyntaxError(`Protocol error: expected '$', got '${printable(line[0])}'`);
      }
      this.#bulk(numberIn(line, 'Protocol error: invalid bulk length', bulkBytesMax));
      return;
    }
    if (line[0] === '*') {
      const count = numberIn(line, 'Protocol error: invalid multibulk length', argumentsMax);
      // Redis takes no notice of an empty command.
      if (this.isStranger && count > strangerArgumentsMax) {
        throw new RespSyntaxError('Protocol error: unauthenticated multibulk length');
      }
      if (count > 0) {
        this.#count = count;
        this.#requests++;
      }
      return;
    }
    const words = inlineWords(line);
    if (words === undefined) {
      throw new RespSyntaxError('Protocol error: unbalanced quotes in request');
    }
    if (words.length === 0) return;
    this.#requests++;
    this.#handler.command(words, true);
  }

  #bulk(size: number): void {
    if (this.isStranger && size > strangerBytesMax) {
      throw new RespSyntaxError('Protocol error: unauthenticated bulk length');
    }
    const isValue = this.#args.length >= 2 && this.#sink === undefined;
    if (size > collectedBytesMax && isValue) {
      this.#sink = this.#handler.streamed(this.#args, size);
      this.#sinkRest = size;
      return;
    }
    this.#argsBytes += size;
    if (this.#argsBytes > commandBytesMax) {
      throw new RespSyntaxError(
        `Protocol error: more than ${commandBytesMax} bytes of arguments besides the first large one`,
      );
    }
    this.#bulkSize = size;
  }

  #argument(text: string): void {
    this.#args.push(text);
    this.#receivedBytes += text.length;
    if (this.#args.length < (this.#count as number)) return;
    const args = this.#args;
    this.#args = [];
    this.#argsBytes = 0;
    this.#receivedBytes = 0;
    if (this.#collected.length > keptBytesMax) this.#collected = new Uint8Array(firstBytes);
    this.#count = undefined;
    const sink = this.#sink;
    this.#sink = undefined;
    this.#isSinkFull = false;
    if (sink === undefined) this.#handler.command(args, false);
    else sink.end(args);
  }

  #collect(part: Uint8Array): void {
    const length = this.#collectedLength + part.length;
    if (length > this.#collected.length) {
      const larger = new Uint8Array(Math.max(length, 2 * this.#collected.length));
      larger.set(this.#collected.subarray(0, this.#collectedLength));
      this.#collected = larger;
    }
    this.#collected.set(part, this.#collectedLength);
    this.#collectedLength = length;
  }
}

/** The end of a line without the carriage return that may stand before its newline. */
function withoutReturn(bytes: Uint8Array, from: number, newlineAt: number): number {
  return newlineAt > from && bytes[newlineAt - 1] === carriageReturn ? newlineAt - 1 : newlineAt;
}

/** Reads the number after the first character. Lengths of -1 and below are empty, as in Redis, for arrays only. */
function numberIn(line: string, message: string, max: number): number {
  const text = line.slice(1);
  const value = /^(?:0|-?[1-9]\d{0,9})$/.test(text) ? Number(text) : Number.NaN;
  if (value >= 0 && value <= max) return value;
  if (value < 0 && line[0] === '*') return 0;
  throw new RespSyntaxError(message);
}

/** One character for an error line. */
function printable(character: string | undefined): string {
  return character !== undefined && character >= ' ' && character <= '~' ? character : '?';
}
