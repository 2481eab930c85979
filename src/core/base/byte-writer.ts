// A growing byte buffer for the encoders of binary protocols.

const firstBytes = 1024;

/**
 * A buffer that grows by doubling and keeps its memory when emptied, so that one writer can be reused for
 * many messages.
 *
 * @example
 * const writer = new ByteWriter();
 * writer.byte(1);
 * writer.bigEndian(500, 2);
 * writer.copy(); // Uint8Array [1, 1, 244]
 */
export class ByteWriter {
  /** The written bytes are the first `length`; replaced when it grows. */
  bytes = new Uint8Array(firstBytes);
  length = 0;

  /** Reserves space for `count` more bytes, so that they need no check each. */
  reserve(count: number): void {
    if (this.length + count <= this.bytes.length) return;
    const grown = new Uint8Array(Math.max(this.length + count, this.bytes.length * 2));
    grown.set(this.bytes.subarray(0, this.length));
    this.bytes = grown;
  }

  /** Writes the low 8 bits of `value`. */
  byte(value: number): void {
    this.reserve(1);
    this.bytes[this.length++] = value;
  }

  /** @param value A non-negative safe integer; its low `8 * count` bits are written. */
  littleEndian(value: number, count: number): void {
    this.reserve(count);
    let left = value;
    for (let i = 0; i < count; i++) {
      this.bytes[this.length++] = left % 256;
      left = Math.floor(left / 256);
    }
  }

  /** @param value A non-negative safe integer; its low `8 * count` bits are written. */
  bigEndian(value: number, count: number): void {
    this.reserve(count);
    let left = value;
    for (let at = this.length + count - 1; at >= this.length; at--) {
      this.bytes[at] = left % 256;
      left = Math.floor(left / 256);
    }
    this.length += count;
  }

  append(source: Uint8Array): void {
    this.reserve(source.length);
    this.bytes.set(source, this.length);
    this.length += source.length;
  }

  /** A copy of the written bytes. */
  copy(): Uint8Array {
    return this.bytes.slice(0, this.length);
  }
}
