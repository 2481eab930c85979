// A collector's response to an export request, `ExportTraceServiceResponse`: what it refused of a request that it accepted.
// @see https://github.com/open-telemetry/opentelemetry-proto, `collector/trace/v1/trace_service.proto`
import { wireTypes } from './protobuf-writer.ts';

export interface Refusal {
  /** Number of spans. */
  readonly spans: number;
  readonly why: string;
}

/** A field of a message: a number for a varint; undefined for a kind that the response does not use. */
interface Field {
  readonly number: number;
  readonly value: number | Buffer | undefined;
}

/** @returns No spans if it cannot be read: the collector has accepted the request, whatever else it says. */
export function refusalOf(response: Buffer): Refusal {
  let spans = 0;
  let why = '';
  for (const outer of fieldsOf(response)) {
    if (outer.number !== 1 || !Buffer.isBuffer(outer.value)) continue;
    for (const { number, value } of fieldsOf(outer.value)) {
      // A negative number has the highest bit of 64.
      if (number === 1 && typeof value === 'number') spans = value < 2 ** 63 ? value : 0;
      if (number === 2 && Buffer.isBuffer(value)) why = value.toString();
    }
  }
  return { spans, why };
}

/** The fields in their order, up to one that is cut off. Varints beyond 2^53 are rounded. */
function fieldsOf(bytes: Buffer): Field[] {
  const fields: Field[] = [];
  let at = 0;
  /** @returns NaN if it is cut off or too long. */
  const varint = (): number => {
    let value = 0;
    for (let i = 0; i < 10; i++) {
      const byte = bytes[at++];
      if (byte === undefined) return Number.NaN;
      value += (byte & 0x7f) * 2 ** (7 * i);
      if (byte < 0x80) return value;
    }
    return Number.NaN;
  };
  while (at < bytes.length) {
    const tag = varint();
    const wireType = tag % 8;
    let value: Field['value'];
    if (wireType === wireTypes.varint) value = varint();
    else if (wireType === wireTypes.fixed64) at += 8;
    else if (wireType === wireTypes.fixed32) at += 4;
    else if (wireType === wireTypes.bytes) {
      const length = varint();
      value = bytes.subarray(at, at + length);
      at += length;
    } else return fields;
    // What is cut off is beyond the end, or not a number.
    if (!(at <= bytes.length) || Number.isNaN(value)) return fields;
    fields.push({ number: Math.floor(tag / 8), value });
  }
  return fields;
}
