// Reads the replies that a client of Redis gets to simple commands: a line, a number, a value or none.
import { latin1Text } from '../base/index.ts';
import { RespSyntaxError } from './request-reader.ts';

/** Longest line of a reply: an error, or a number. */
const lineBytesMax = 64 << 10;
const newline = 10;

/** Receives one reply after the other. */
export interface ReplyHandler {
  /** A status, an error or a number; `type` is its first character. */
  line(type: '+' | '-' | ':', text: string): void;
  /** No value. */
  none(): void;
  /** A value of `size` bytes has begun; its bytes follow. */
  value(size: number): void;
  bytes(part: Uint8Array): void;
  /** The value is complete. */
  end(): void;
}

/** Reads replies from bytes in pieces of any size. */
export class ReplyReader {
  readonly #handler: ReplyHandler;
  #line = '';
  /** Bytes of the value and of its line end that are still to come; undefined outside a value. */
  #rest: number | undefined;

  constructor(handler: ReplyHandler) {
    this.#handler = handler;
  }

  /**
   * @param isOver Asked before each part; the bytes behind it are left.
   * @returns The number of bytes taken.
   * @throws {RespSyntaxError} If the bytes are no reply that a client of this kind gets.
   */
  push(bytes: Uint8Array, isOver: () => boolean): number {
    let at = 0;
    while (at < bytes.length && !isOver()) {
      at += this.#rest === undefined ? this.#takeLine(bytes, at) : this.#takeValue(bytes, at);
    }
    return at;
  }

  #takeValue(bytes: Uint8Array, at: number): number {
    const rest = this.#rest as number;
    const part = bytes.subarray(at, at + rest);
    this.#rest = rest - part.length;
    const own = part.subarray(0, Math.max(0, rest - 2));
    if (own.length > 0) this.#handler.bytes(own);
    if (this.#rest === 0) {
      this.#rest = undefined;
      this.#handler.end();
    }
    return part.length;
  }

  #takeLine(bytes: Uint8Array, at: number): number {
    const found = bytes.indexOf(newline, at);
    const end = found < 0 ? bytes.length : found;
    if (this.#line.length + end - at > lineBytesMax) {
      throw new RespSyntaxError(`a reply has a line of more than ${lineBytesMax} bytes`);
    }
    if (end > at) this.#line += latin1Text(bytes.subarray(at, end));
    if (found < 0) return end - at;
    const line = this.#line.endsWith('\r') ? this.#line.slice(0, -1) : this.#line;
    this.#line = '';
    if (line !== '') this.#reply(line);
    return end + 1 - at;
  }

  #reply(line: string): void {
    const [type, text] = [line[0], line.slice(1)];
    if (type === '+' || type === '-' || type === ':') {
      this.#handler.line(type, text);
      return;
    }
    // RESP3, RESP2; a miss that is padded for another client has empty lines behind it.
    if (line === '_' || line === '$-1') this.#handler.none();
    else this.#startValue(line);
  }

  #startValue(line: string): void {
    const text = line.slice(1);
    const size = line[0] === '$' && /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
    if (Number.isNaN(size)) throw new RespSyntaxError(`"${line.slice(0, 40)}" begins no reply`);
    this.#handler.value(size);
    this.#rest = size + 2;
  }
}
