// The two byte forms that vLLM hashes: Python's pickle (protocol 5) and canonical CBOR.
import { ByteWriter } from '../base/index.ts';

/** Input of a block hash: the Python values in vLLM's tuple. */
export type HashValue = string | number | Uint8Array | null | readonly HashValue[];

/** Encoded bytes; valid until the encoder is used again. */
export interface Encoded {
  readonly bytes: Uint8Array;
  readonly length: number;
}

/** Encodes (parent, tokens[from, to), extra keys) as the bytes to hash. */
export interface BlockEncoder {
  seed(seed: string): Encoded;
  block(
    parent: Uint8Array,
    tokens: ArrayLike<number>,
    from: number,
    to: number,
    extraKeys: readonly HashValue[] | undefined,
  ): Encoded;
}

const utf8 = new TextEncoder();

/** The tags of extra keys are constants of vLLM's source: one Python object each, hence shared. */
const sharedStrings: ReadonlySet<string> = new Set(['lora', 'mm', 'cache_salt', 'prompt_embeds']);

/** CPython's C pickler starts a new frame past this many bytes. */
const frameBytesMax = 64 * 1024;

/**
 * Encodes like CPython's C pickler, `pickle.dumps(value, protocol=5)`. It writes a back-reference for an
 * object that it has already written; among our values, only the tags of extra keys are such objects.
 *
 * @see https://github.com/python/cpython/blob/3.12/Modules/_pickle.c
 */
export function createPickleEncoder(): BlockEncoder {
  const writer = new ByteWriter();
  const memo = new Map<string, number>();
  let memoized = 0;

  const memoize = (): void => {
    writer.byte(0x94);
    memoized += 1;
  };
  const writeInteger = (value: number): void => {
    if (value >= 0 && value <= 0xff) {
      writer.reserve(2);
      writer.bytes[writer.length++] = 0x4b;
      writer.bytes[writer.length++] = value;
    } else if (value >= 0 && value <= 0xffff) {
      writer.reserve(3);
      writer.bytes[writer.length++] = 0x4d;
      writer.bytes[writer.length++] = value;
      writer.bytes[writer.length++] = value >>> 8;
    } else if (value >= -0x8000_0000 && value <= 0x7fff_ffff) {
      writer.byte(0x4a);
      writer.littleEndian(value >>> 0, 4);
    } else if (Number.isSafeInteger(value) && value > 0) {
      // LONG1: two's complement, as short as the sign bit allows.
      const count = Math.floor(Math.log2(value) / 8) + 1;
      const signed = value >= 2 ** (8 * count - 1) ? count + 1 : count;
      writer.byte(0x8a);
      writer.byte(signed);
      writer.littleEndian(value, signed);
    } else {
      throw new RangeError(`Cannot hash the integer ${value}`);
    }
  };
  const endTuple = (length: number): void => {
    writer.byte(length === 1 ? 0x85 : length === 2 ? 0x86 : length === 3 ? 0x87 : 0x74);
    memoize();
  };
  const writeValue = (value: HashValue): void => {
    if (value === null) writer.byte(0x4e);
    else if (typeof value === 'number') writeInteger(value);
    else if (typeof value === 'string') writeString(value);
    else if (value instanceof Uint8Array) writeBytes(value);
    else if (value.length === 0) writer.byte(0x29);
    else {
      if (value.length > 3) writer.byte(0x28);
      for (const item of value) writeValue(item);
      endTuple(value.length);
    }
  };
  const writeString = (value: string): void => {
    const known = memo.get(value);
    if (known !== undefined) {
      writer.byte(known <= 0xff ? 0x68 : 0x6a);
      writer.littleEndian(known, known <= 0xff ? 1 : 4);
      return;
    }
    const encoded = utf8.encode(value);
    writer.byte(encoded.length <= 0xff ? 0x8c : 0x58);
    writer.littleEndian(encoded.length, encoded.length <= 0xff ? 1 : 4);
    writer.append(encoded);
    if (sharedStrings.has(value)) memo.set(value, memoized);
    memoize();
  };
  const writeBytes = (value: Uint8Array): void => {
    writer.byte(value.length <= 0xff ? 0x43 : 0x42);
    writer.littleEndian(value.length, value.length <= 0xff ? 1 : 4);
    writer.append(value);
    memoize();
  };
  const begin = (): void => {
    memo.clear();
    memoized = 0;
    writer.length = 0;
    writer.append(header);
  };
  const end = (): Encoded => {
    writer.byte(0x2e);
    const frameBytes = writer.length - header.length;
    if (frameBytes > frameBytesMax) {
      throw new RangeError('Cannot hash a block whose pickle exceeds one frame (64 KiB)');
    }
    const length = writer.length;
    writer.length = 3;
    writer.littleEndian(frameBytes, 8);
    writer.length = length;
    return writer;
  };
  // PROTO 5, FRAME, and space for the frame's length.
  const header = Uint8Array.of(0x80, 5, 0x95, 0, 0, 0, 0, 0, 0, 0, 0);

  return {
    seed(seed) {
      begin();
      writeString(seed);
      return end();
    },
    block(parent, tokens, from, to, extraKeys) {
      begin();
      writeBytes(parent);
      if (to === from) writer.byte(0x29);
      else {
        if (to - from > 3) writer.byte(0x28);
        for (let i = from; i < to; i++) writeInteger(tokens[i] as number);
        endTuple(to - from);
      }
      writeValue(extraKeys ?? null);
      endTuple(3);
      return end();
    },
  };
}

/** `cbor2.dumps(value, canonical=True)`. @see RFC 8949, section 4.2 */
export function createCborEncoder(): BlockEncoder {
  const writer = new ByteWriter();

  const head = (major: number, value: number): void => {
    const type = major << 5;
    if (value < 24) writer.byte(type | value);
    else if (value <= 0xff) {
      writer.byte(type | 24);
      writer.byte(value);
    } else if (value <= 0xffff) {
      writer.byte(type | 25);
      writer.bigEndian(value, 2);
    } else if (value <= 0xffff_ffff) {
      writer.byte(type | 26);
      writer.bigEndian(value, 4);
    } else {
      writer.byte(type | 27);
      writer.bigEndian(value, 8);
    }
  };
  const writeInteger = (value: number): void => {
    if (!Number.isSafeInteger(value)) throw new RangeError(`Cannot hash the integer ${value}`);
    head(value < 0 ? 1 : 0, value < 0 ? -1 - value : value);
  };
  const writeValue = (value: HashValue): void => {
    if (value === null) writer.byte(0xf6);
    else if (typeof value === 'number') writeInteger(value);
    else if (typeof value === 'string') {
      const encoded = utf8.encode(value);
      head(3, encoded.length);
      writer.append(encoded);
    } else if (value instanceof Uint8Array) {
      head(2, value.length);
      writer.append(value);
    } else {
      head(4, value.length);
      for (const item of value) writeValue(item);
    }
  };

  return {
    seed(seed) {
      writer.length = 0;
      writeValue(seed);
      return writer;
    },
    block(parent, tokens, from, to, extraKeys) {
      writer.length = 0;
      head(4, 3);
      writeValue(parent);
      head(4, to - from);
      for (let i = from; i < to; i++) writeInteger(tokens[i] as number);
      writeValue(extraKeys ?? null);
      return writer;
    },
  };
}
