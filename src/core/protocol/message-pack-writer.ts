// Writes MessagePack values in their shortest form, as Python's msgspec does.
import { ByteWriter } from '../base/index.ts';

const utf8 = new TextEncoder();

/** Appends values to a message. @see https://github.com/msgpack/msgpack/blob/master/spec.md */
export class MessagePackWriter {
  readonly out = new ByteWriter();
  readonly #float = new DataView(new ArrayBuffer(8));

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
    else this.#sized(0xcf, value, 8);
  }

  /** @param value In [-2^63, 2^64). */
  bigInteger(value: bigint): void {
    if (value < 0n) this.#negative(value);
    else if (value <= 0xffff_ffffn) this.integer(Number(value));
    else {
      this.#sized(0xcf, Number(value >> 32n), 4);
      this.out.bigEndian(Number(value & 0xffff_ffffn), 4);
    }
  }

  float64(value: number): void {
    this.#float.setFloat64(0, value);
    this.out.byte(0xcb);
    this.out.append(new Uint8Array(this.#float.buffer));
  }

  string(value: string): void {
    const bytes = utf8.encode(value);
    if (bytes.length > 31 && bytes.length <= 0xff) this.#sized(0xd9, bytes.length, 1);
    else this.#head(bytes.length, 0xa0, 31, 0xda, 0xdb);
    this.out.append(bytes);
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
      const bits = BigInt.asUintN(64, value);
      this.#sized(0xd3, Number(bits >> 32n), 4);
      out.bigEndian(Number(bits & 0xffff_ffffn), 4);
    }
  }

  #sized(type: number, value: number, count: number): void {
    this.out.byte(type);
    this.out.bigEndian(value, count);
  }

  #head(length: number, short: number, shortMax: number, type16: number, type32: number): void {
    if (length <= shortMax) this.out.byte(short | length);
    else if (length <= 0xffff) this.#sized(type16, length, 2);
    else this.#sized(type32, length, 4);
  }
}
