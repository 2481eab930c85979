// Writes messages of Protocol Buffers into one buffer that grows, in one pass and without other objects.
// @see https://protobuf.dev/programming-guides/encoding/

/** How a field is encoded; the lower three bits of its tag. */
export const wireTypes = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const;

/** Length up to which text is copied in a loop, which is quicker than a call into Node for short ASCII. */
const loopedTextMax = 64;

/** By the code of a lower-case hexadecimal digit. */
const hexValues = new Uint8Array(0x80);
for (let value = 0; value < 16; value++) hexValues[value.toString(16).charCodeAt(0)] = value;

export class ProtobufWriter {
  #bytes: Buffer;
  readonly #start: number;
  #length: number;

  /**
   * @param capacity Bytes to begin with.
   * @param headBytesMax Room in front of them for a head that is known only at the end.
   */
  constructor(capacity: number, headBytesMax = 0) {
    this.#bytes = Buffer.allocUnsafeSlow(headBytesMax + capacity);
    this.#start = headBytesMax;
    this.#length = headBytesMax;
  }

  /** Number of bytes written. */
  get length(): number {
    return this.#length - this.#start;
  }

  /** The bytes written so far; valid until the next write. */
  get written(): Buffer {
    return this.#bytes.subarray(this.#start, this.#length);
  }

  /** The bytes written so far behind a head; valid until the next write. */
  behind(head: Buffer): Buffer {
    const from = this.#start - head.length;
    this.#bytes.set(head, from);
    return this.#bytes.subarray(from, this.#length);
  }

  /** Forgets what was written, and keeps the memory. */
  clear(): void {
    this.#length = this.#start;
  }

  /** Begins a field. @param field Below 2^28. */
  tag(field: number, wireType: number): void {
    if (field < 16) {
      this.#reserve(1);
      this.#bytes[this.#length++] = field * 8 + wireType;
    } else this.varint(field * 8 + wireType);
  }

  /** Writes bytes that are encoded already. */
  raw(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  /**
   * Begins a message within the message.
   *
   * @returns For `end`, which writes its length: one byte is kept free for it, and more are made room for if it needs them.
   */
  begin(field: number): number {
    this.tag(field, wireTypes.bytes);
    this.#reserve(1);
    return this.#length++;
  }

  end(begun: number): void {
    const start = begun + 1;
    const size = this.#length - start;
    if (size < 0x80) {
      this.#bytes[begun] = size;
      return;
    }
    const more = varintBytes(size) - 1;
    this.#reserve(more);
    this.#bytes.copyWithin(start + more, start, this.#length);
    const end = this.#length + more;
    this.#length = begun;
    this.varint(size);
    this.#length = end;
  }

  text(field: number, text: string): void {
    this.tag(field, wireTypes.bytes);
    // A UTF-16 unit takes three bytes at most; the length of so many takes five.
    this.#reserve(text.length * 3 + 5);
    if (text.length <= loopedTextMax && this.#asciiText(text)) return;
    const size = Buffer.byteLength(text);
    this.varint(size);
    this.#length += this.#bytes.write(text, this.#length, size, 'utf8');
  }

  /** @param digits Hexadecimal, two a byte; fewer than 128 bytes. */
  hex(field: number, digits: string): void {
    this.tag(field, wireTypes.bytes);
    this.#reserve(1 + digits.length / 2);
    const bytes = this.#bytes;
    let at = this.#length;
    bytes[at++] = digits.length / 2;
    for (let i = 0; i < digits.length; i += 2) {
      const high = hexValues[digits.charCodeAt(i)] as number;
      bytes[at++] = (high << 4) | (hexValues[digits.charCodeAt(i + 1)] as number);
    }
    this.#length = at;
  }

  /** @param value A non-negative integer below 2^53. */
  varint(value: number): void {
    this.#reserve(8);
    let rest = value;
    while (rest >= 0x80) {
      // Bit operations would cut it to 32 bits.
      this.#bytes[this.#length++] = (rest % 0x80) + 0x80;
      rest = Math.floor(rest / 0x80);
    }
    this.#bytes[this.#length++] = rest;
  }

  /** @param value An integer; negative ones take ten bytes. */
  int64(field: number, value: number): void {
    this.tag(field, wireTypes.varint);
    if (value >= 0 && value <= Number.MAX_SAFE_INTEGER) {
      this.varint(value);
      return;
    }
    this.#reserve(10);
    let rest = BigInt.asUintN(64, BigInt(value));
    for (; rest >= 0x80n; rest >>= 7n) this.#bytes[this.#length++] = Number(rest & 0x7fn) + 0x80;
    this.#bytes[this.#length++] = Number(rest);
  }

  double(field: number, value: number): void {
    this.tag(field, wireTypes.fixed64);
    this.#reserve(8);
    this.#length = this.#bytes.writeDoubleLE(value, this.#length);
  }

  fixed32(field: number, value: number): void {
    this.tag(field, wireTypes.fixed32);
    this.#reserve(4);
    this.#length = this.#bytes.writeUInt32LE(value, this.#length);
  }

  /** A time in nanoseconds. @param ms Unix time from 1970 to 2554, with fractions. */
  nanoseconds(field: number, ms: number): void {
    this.tag(field, wireTypes.fixed64);
    this.#reserve(8);
    const seconds = Math.floor(ms / 1000);
    const rest = Math.floor((ms - seconds * 1000) * 1e6);
    // The product exceeds 2^53, so the seconds are multiplied in two parts, each of 16 bits or a little more.
    const high = Math.floor(seconds / 0x10000) * 1e9;
    const low = (seconds % 0x10000) * 1e9 + rest + (high % 0x10000) * 0x10000;
    const carry = Math.floor(low / 2 ** 32);
    this.#length = this.#bytes.writeUInt32LE(low % 2 ** 32, this.#length);
    this.#length = this.#bytes.writeUInt32LE(Math.floor(high / 0x10000) + carry, this.#length);
  }

  /** Writes text that is ASCII, with its length. @returns False, with nothing written, if it is not. */
  #asciiText(text: string): boolean {
    const bytes = this.#bytes;
    const start = this.#length + 1;
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i);
      if (code >= 0x80) return false;
      bytes[start + i] = code;
    }
    bytes[start - 1] = text.length;
    this.#length = start + text.length;
    return true;
  }

  #reserve(count: number): void {
    const needed = this.#length + count;
    if (needed <= this.#bytes.length) return;
    const grown = Buffer.allocUnsafeSlow(Math.max(needed, this.#bytes.length * 2));
    this.#bytes.copy(grown, 0, 0, this.#length);
    this.#bytes = grown;
  }
}

/** Number of bytes of a varint. */
export function varintBytes(value: number): number {
  let count = 1;
  for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 0x80)) count++;
  return count;
}
