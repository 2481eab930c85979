// Writes MessagePack values in their shortest form, like Python's msgspec.
import { ByteWriter } from '../base/index.ts';

const utf8 = new TextEncoder();

/** Appends values to a message. @see https://github.com/msgpack/msgpack/blob/master/spec.md */
export class MessagePackWriter {
  readonly out = new ByteWriter();
  readonly #wordBytes = new Uint8Array(8);
  readonly #word = new DataView(this.#wordBytes.buffer);

  nil(): void {
    this.out.byte(0xc0);
  }

  array(items: number): void {
    this.#head(items, 0x90, 15, 0xdc, 0xdd);
  }

  map(pairs: number): void {
    this.#head(pairs, 0x80, 15, 0xde, 0xdf);
  }

  /** @param value A safe integer. */
  integer(value: number): void {
    const { out } = this;
    if (value < 0) this.#negative(BigInt(value));
    else if (value < 0x80) out.byte(value);
    else if (value <= 0xff) this.#sized(0xcc, value, 1);
    else if (value <= 0xffff) this.#sized(0xcd, value, 2);
    else if (value <= 0xffff_ffff) this.#sized(0xce, value, 4);
    else {
      out.byte(0xcf);
      out.bigEndian(value, 8);
    }
  }

  /** Writes non-negative integers below 2^32, such as the token ids of a prompt. */
  integers(values: ArrayLike<number>): void {
    const { out } = this;
    out.reserve(5 * values.length);
    const { bytes } = out;
    let at = out.length;
    for (let i = 0; i < values.length; i++) {
      const value = values[i] as number;
      if (value < 0x80) {
        bytes[at++] = value;
        continue;
      }
      if (value <= 0xff) bytes[at++] = 0xcc;
      else {
        if (value <= 0xffff) bytes[at++] = 0xcd;
        else {
          bytes[at++] = 0xce;
          bytes[at++] = value >>> 24;
          bytes[at++] = value >>> 16;
        }
        bytes[at++] = value >>> 8;
      }
      bytes[at++] = value;
    }
    out.length = at;
  }

  /** @param value In [-2^63, 2^64). */
  bigInteger(value: bigint): void {
    if (value < 0n) this.#negative(value);
    else if (value <= 0xffff_ffffn) this.integer(Number(value));
    else {
      this.out.byte(0xcf);
      this.#word64(value);
    }
  }

  float64(value: number): void {
    this.#word.setFloat64(0, value);
    this.out.byte(0xcb);
    this.out.append(this.#wordBytes);
  }

  string(value: string): void {
    if (!this.#shortAscii(value)) this.#text(utf8.encode(value));
  }

  binary(value: Uint8Array): void {
    const { length } = value;
    if (length <= 0xff) this.#sized(0xc4, length, 1);
    else if (length <= 0xffff) this.#sized(0xc5, length, 2);
    else this.#sized(0xc6, length, 4);
    this.out.append(value);
  }

  #negative(value: bigint): void {
    const { out } = this;
    if (value >= -32n) out.byte(Number(value) & 0xff);
    else if (value >= -0x80n) this.#sized(0xd0, Number(value) & 0xff, 1);
    else if (value >= -0x8000n) this.#sized(0xd1, Number(value) & 0xffff, 2);
    else if (value >= -0x8000_0000n) this.#sized(0xd2, Number(value) >>> 0, 4);
    else {
      out.byte(0xd3);
      this.#word64(value);
    }
  }

  /** The low 64 bits, highest first. */
  #word64(value: bigint): void {
    this.#word.setBigUint64(0, value);
    this.out.append(this.#wordBytes);
  }

  /** Writes short ASCII texts without an encoder, which would cost ten times as much. @returns False for others. */
  #shortAscii(value: string): boolean {
    const { out } = this;
    const { length } = value;
    if (length > 31) return false;
    out.reserve(1 + length);
    const { bytes, length: at } = out;
    for (let i = 0; i < length; i++) {
      const code = value.charCodeAt(i);
      if (code > 0x7f) return false;
      bytes[at + 1 + i] = code;
    }
    bytes[at] = 0xa0 | length;
    out.length = at + 1 + length;
    return true;
  }

  #text(bytes: Uint8Array): void {
    if (bytes.length > 31 && bytes.length <= 0xff) this.#sized(0xd9, bytes.length, 1);
    else this.#head(bytes.length, 0xa0, 31, 0xda, 0xdb);
    this.out.append(bytes);
  }

  /** @param value Below 2^32. @param count 1, 2 or 4 bytes. */
  #sized(type: number, value: number, count: number): void {
    const { out } = this;
    out.reserve(1 + count);
    const { bytes } = out;
    bytes[out.length++] = type;
    for (let shift = 8 * (count - 1); shift >= 0; shift -= 8) bytes[out.length++] = value >>> shift;
  }

  #head(length: number, short: number, shortMax: number, type16: number, type32: number): void {
    if (length <= shortMax) this.out.byte(short | length);
    else if (length <= 0xffff) this.#sized(type16, length, 2);
    else this.#sized(type32, length, 4);
  }
}
