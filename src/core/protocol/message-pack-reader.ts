// Reads MessagePack values one by one from untrusted bytes.
import { MessagePackFormatError } from './errors.ts';

const utf8 = new TextDecoder('utf-8', { ignoreBOM: true });

/**
 * A cursor over one MessagePack message. Lengths in the message are checked against its bytes before they are
 * used, so memory stays proportional to the message.
 *
 * @throws {MessagePackFormatError} From each read, if the message ends early or has another type.
 * @see https://github.com/msgpack/msgpack/blob/master/spec.md
 */
export class MessagePackReader {
  readonly bytes: Uint8Array;
  offset = 0;
  readonly #view: DataView;
  /** Items of arrays and pairs of maps that may still follow. */
  #itemsLeft: number;
  #tokenIdsLeft: number;

  /**
   * @param itemsMax Items of all arrays and maps together, without token ids. @default any number
   * @param tokenIdsMax Token ids of the whole message. @default any number
   */
  constructor(
    bytes: Uint8Array,
    itemsMax = Number.POSITIVE_INFINITY,
    tokenIdsMax = Number.POSITIVE_INFINITY,
  ) {
    this.#itemsLeft = itemsMax;
    this.#tokenIdsLeft = tokenIdsMax;
    this.bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  fail(problem: string): never {
    throw new MessagePackFormatError(problem, this.offset);
  }

  /** The type byte of the next value, without consuming it. */
  peek(): number {
    return this.bytes[this.offset] ?? this.fail('it ends early');
  }

  /** Whether the next value is nil; if so, it is consumed. */
  nil(): boolean {
    if (this.peek() !== 0xc0) return false;
    this.offset += 1;
    return true;
  }

  boolean(): boolean {
    const type = this.#take();
    if (type !== 0xc2 && type !== 0xc3) return this.#wrongType('a boolean', type);
    return type === 0xc3;
  }

  /** Consumes `expected` if the next bytes are exactly these. */
  literal(expected: Uint8Array): boolean {
    const { bytes, offset } = this;
    for (let i = 0; i < expected.length; i++) {
      if (bytes[offset + i] !== expected[i]) return false;
    }
    this.offset += expected.length;
    return true;
  }

  nextIsArray(): boolean {
    const type = this.peek();
    return (type & 0xf0) === 0x90 || type === 0xdc || type === 0xdd;
  }

  nextIsMap(): boolean {
    const type = this.peek();
    return (type & 0xf0) === 0x80 || type === 0xde || type === 0xdf;
  }

  /** Number of items that follow. */
  array(): number {
    return this.#counted(this.#arrayLength());
  }

  #counted(items: number): number {
    this.#itemsLeft -= items;
    return this.#itemsLeft >= 0 ? items : this.fail('it has too many items');
  }

  #arrayLength(): number {
    const type = this.#take();
    let items: number;
    if ((type & 0xf0) === 0x90) items = type & 0x0f;
    else if (type === 0xdc) items = this.#unsigned(2);
    else if (type === 0xdd) items = this.#unsigned(4);
    else return this.#wrongType('an array', type);
    if (items > this.bytes.length - this.offset) this.fail('an array is longer than the message');
    return items;
  }

  /** Number of key and value pairs that follow. */
  map(): number {
    const type = this.#take();
    let pairs: number;
    if ((type & 0xf0) === 0x80) pairs = type & 0x0f;
    else if (type === 0xde) pairs = this.#unsigned(2);
    else if (type === 0xdf) pairs = this.#unsigned(4);
    else return this.#wrongType('a map', type);
    if (2 * pairs > this.bytes.length - this.offset) this.fail('a map is longer than the message');
    return this.#counted(pairs);
  }

  /** An integer that a double holds exactly. */
  integer(): number {
    const type = this.#take();
    if (type < 0x80) return type;
    if (type >= 0xe0) return type - 0x100;
    switch (type) {
      case 0xcc:
        return this.#unsigned(1);
      case 0xcd:
        return this.#unsigned(2);
      case 0xce:
        return this.#unsigned(4);
      case 0xd0:
        return (this.#unsigned(1) << 24) >> 24;
      case 0xd1:
        return (this.#unsigned(2) << 16) >> 16;
      case 0xd2:
        return this.#unsigned(4) | 0;
      case 0xcf:
      case 0xd3: {
        this.offset -= 1;
        const value = Number(this.bigInteger());
        return Number.isSafeInteger(value) ? value : this.fail('an integer is too large');
      }
      default:
        return this.#wrongType('an integer', type);
    }
  }

  /** An integer of any size, exactly. */
  bigInteger(): bigint {
    const type = this.peek();
    if (type !== 0xcf && type !== 0xd3) return BigInt(this.integer());
    this.#need(9);
    const at = this.offset + 1;
    this.offset += 9;
    return type === 0xcf ? this.#view.getBigUint64(at) : this.#view.getBigInt64(at);
  }

  /** A float, or an integer in its place. */
  float(): number {
    const type = this.peek();
    if (type !== 0xcb && type !== 0xca) return this.integer();
    const size = type === 0xcb ? 8 : 4;
    this.#need(1 + size);
    const at = this.offset + 1;
    this.offset += 1 + size;
    return size === 8 ? this.#view.getFloat64(at) : this.#view.getFloat32(at);
  }

  string(): string {
    const type = this.#take();
    let length: number;
    if ((type & 0xe0) === 0xa0) length = type & 0x1f;
    else if (type === 0xd9) length = this.#unsigned(1);
    else if (type === 0xda) length = this.#unsigned(2);
    else if (type === 0xdb) length = this.#unsigned(4);
    else return this.#wrongType('a string', type);
    return utf8.decode(this.#slice(length));
  }

  /** A copy of bytes, because the message's memory may be reused. */
  binary(): Uint8Array {
    const type = this.#take();
    if (type < 0xc4 || type > 0xc6) return this.#wrongType('bytes', type);
    return this.#slice(this.#unsigned(1 << (type - 0xc4))).slice();
  }

  /** An array of token ids. */
  tokenIds(): Uint32Array {
    const length = this.#arrayLength();
    this.#tokenIdsLeft -= length;
    if (this.#tokenIdsLeft < 0) this.fail('it has too many token ids');
    const tokens = new Uint32Array(length);
    const { bytes } = this;
    let at = this.offset;
    for (let i = 0; i < tokens.length; i++) {
      const type = bytes[at] as number;
      // The three forms of token ids are handled inline: this loop is most of a decoder's work.
      if (type < 0x80) {
        tokens[i] = type;
        at += 1;
      } else if (type === 0xcd && at + 2 < bytes.length) {
        tokens[i] = ((bytes[at + 1] as number) << 8) | (bytes[at + 2] as number);
        at += 3;
      } else if (type === 0xce && at + 4 < bytes.length) {
        tokens[i] = this.#view.getUint32(at + 1);
        at += 5;
      } else {
        this.offset = at;
        const token = this.integer();
        if (token < 0 || token > 0xffff_ffff) this.fail(`${token} is not a token id`);
        tokens[i] = token;
        at = this.offset;
      }
    }
    this.offset = at;
    return tokens;
  }

  /** Skips one value of any depth, without recursion. */
  skip(): void {
    let values = 1;
    while (values > 0) {
      values -= 1;
      if (this.nextIsArray()) values += this.array();
      else if (this.nextIsMap()) values += 2 * this.map();
      else this.#skipScalar();
    }
  }

  #skipScalar(): void {
    const type = this.#take();
    if (type < 0x80 || type >= 0xe0) return;
    if (type < 0xc0) this.#slice(type & 0x1f);
    else if (type === 0xc0 || type === 0xc2 || type === 0xc3) return;
    else if (type >= 0xc4 && type <= 0xc6) this.#slice(this.#unsigned(1 << (type - 0xc4)));
    else if (type >= 0xc7 && type <= 0xc9) this.#slice(1 + this.#unsigned(1 << (type - 0xc7)));
    else if (type === 0xca) this.#slice(4);
    else if (type === 0xcb) this.#slice(8);
    else if (type >= 0xcc && type <= 0xcf) this.#slice(1 << (type - 0xcc));
    else if (type >= 0xd0 && type <= 0xd3) this.#slice(1 << (type - 0xd0));
    else if (type >= 0xd4 && type <= 0xd8) this.#slice(1 + (1 << (type - 0xd4)));
    else if (type >= 0xd9 && type <= 0xdb) this.#slice(this.#unsigned(1 << (type - 0xd9)));
    else this.#wrongType('a value', type);
  }

  #take(): number {
    const type = this.peek();
    this.offset += 1;
    return type;
  }

  #need(count: number): void {
    if (count > this.bytes.length - this.offset) this.fail('it ends early');
  }

  #unsigned(count: number): number {
    this.#need(count);
    const at = this.offset;
    this.offset += count;
    if (count === 1) return this.bytes[at] as number;
    return count === 2 ? this.#view.getUint16(at) : this.#view.getUint32(at);
  }

  #slice(count: number): Uint8Array {
    this.#need(count);
    const from = this.offset;
    this.offset += count;
    return this.bytes.subarray(from, this.offset);
  }

  #wrongType(wanted: string, type: number): never {
    this.offset -= 1;
    return this.fail(`${wanted} is due, but the type byte is 0x${type.toString(16)}`);
  }
}
