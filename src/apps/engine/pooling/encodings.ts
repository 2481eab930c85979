// The forms in which clients get vectors: JSON numbers, base64, or bytes with their layout in a header.
import type { EncodingRequest } from '../../../core/api/index.ts';
import type { Exchange } from '../http/exchange.ts';
import { mapInSlices } from '../runtime/breaks.ts';

type DType = NonNullable<EncodingRequest['embed_dtype']>;

/** Exponent and mantissa bits of a narrow float; whether its highest exponent has numbers (`usesTop`), as in fp8_e4m3fn. */
const narrowFloats = {
  float16: { exponentBits: 5, mantissaBits: 10, usesTop: false },
  bfloat16: { exponentBits: 8, mantissaBits: 7, usesTop: false },
  fp8_e4m3: { exponentBits: 4, mantissaBits: 3, usesTop: true },
  fp8_e5m2: { exponentBits: 5, mantissaBits: 2, usesTop: false },
} as const;

/** Returns what JSON has of a vector: numbers of 32 bits, or base64. */
export function jsonVector(vector: readonly number[], request: EncodingRequest): unknown {
  return request.encoding_format === 'base64'
    ? vectorBytes(vector, request).toString('base64')
    : Array.from(Float32Array.from(vector));
}

/**
 * Joins a response whose items are JSON already.
 *
 * @param head Fields before `data`. @param tail Fields after it.
 */
export function jsonList(head: object, data: readonly string[], tail: object): string {
  return `${JSON.stringify(head).slice(0, -1)},"data":[${data.join(',')}],${JSON.stringify(tail).slice(1)}`;
}

/** Whether the response is bytes instead of JSON. */
export function wantsBytes({ encoding_format: format }: EncodingRequest): boolean {
  return format === 'bytes' || format === 'bytes_only';
}

/**
 * Sends the vectors behind each other; with `bytes`, the header `metadata` says where each is.
 *
 * @param fields `id`, `created` and `model` of the response.
 * @param usage Of the response.
 */
export async function sendVectorBytes(
  exchange: Exchange,
  vectors: readonly (readonly number[])[],
  request: EncodingRequest,
  fields: object,
  usage: object,
): Promise<void> {
  const parts = await mapInSlices(vectors, (vector) => vectorBytes(vector, request));
  let start = 0;
  const data = parts.map((part, index) => {
    const item = {
      ...{ index, embed_dtype: request.embed_dtype ?? 'float32' },
      ...{ endianness: request.endianness ?? 'native', start, end: start + part.length },
      shape: [vectors[index]?.length ?? 0],
    };
    start = item.end;
    return item;
  });
  exchange.sendBytes(200, Buffer.concat(parts), {
    'content-type': 'application/octet-stream',
    ...(request.encoding_format === 'bytes' && {
      metadata: asciiJson({ ...fields, data, usage }),
    }),
  });
}

/** JSON in a header, as Python writes it: characters beyond ASCII as escapes. */
function asciiJson(value: object): string {
  return JSON.stringify(value).replace(
    /[\u007f-\uffff]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

function vectorBytes(vector: readonly number[], request: EncodingRequest): Buffer {
  const { endianness } = request;
  const dtype = request.embed_dtype ?? 'float32';
  const isBig = endianness === 'big';
  const size = dtype === 'float32' ? 4 : dtype.startsWith('fp8') ? 1 : 2;
  const bytes = Buffer.alloc(size * vector.length);
  for (const [i, value] of vector.entries()) {
    if (dtype === 'float32') {
      if (isBig) bytes.writeFloatBE(value, 4 * i);
      else bytes.writeFloatLE(value, 4 * i);
      continue;
    }
    const bits = narrowBits(Math.fround(value), dtype);
    if (size === 1) bytes.writeUInt8(bits, i);
    else if (isBig) bytes.writeUInt16BE(bits, 2 * i);
    else bytes.writeUInt16LE(bits, 2 * i);
  }
  return bytes;
}

/**
 * The bits of the nearest narrow float, the even one of two.
 *
 * @param value Finite, within the range of the format.
 */
function narrowBits(value: number, dtype: Exclude<DType, 'float32'>): number {
  const { exponentBits, mantissaBits, usesTop } = narrowFloats[dtype];
  const bias = 2 ** (exponentBits - 1) - 1;
  const size = Math.abs(value);
  const sign = value < 0 || Object.is(value, -0) ? 2 ** (exponentBits + mantissaBits) : 0;
  const exponent = Math.max(1 - bias, size === 0 ? 1 - bias : Math.floor(Math.log2(size)));
  // Below the smallest exponent, numbers have the same distance from each other.
  let mantissa = roundToEven((size / 2 ** exponent) * 2 ** mantissaBits);
  let biased = exponent + bias;
  if (mantissa < 2 ** mantissaBits) biased = 0;
  else if (mantissa >= 2 ** (mantissaBits + 1)) {
    mantissa /= 2;
    biased++;
  }
  const highest = 2 ** exponentBits - (usesTop ? 1 : 2);
  if (biased > highest)
    return sign + highest * 2 ** mantissaBits + 2 ** mantissaBits - (usesTop ? 2 : 1);
  return sign + biased * 2 ** mantissaBits + (mantissa % 2 ** mantissaBits);
}

function roundToEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  if (rest !== 0.5) return Math.round(value);
  return floor % 2 === 0 ? floor : floor + 1;
}
