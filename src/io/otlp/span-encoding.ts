// Spans as bytes of OTLP: each is encoded as soon as its trace is kept, so that only bytes wait for the export.
// The fields and their order are those of OpenTelemetry's own serializer.
// @see https://github.com/open-telemetry/opentelemetry-proto, `trace/v1/trace.proto`
import { version } from '../../core/base/index.ts';
import type { Attributes, AttributeValue, Span, SpanEvent } from '../../core/telemetry/index.ts';
import { ProtobufWriter, varintBytes, wireTypes } from './protobuf-writer.ts';

const scopeName = 'spillway';
/** Numbers of `SpanKind`. */
const kinds = { internal: 1, server: 2, client: 3 } as const;
const statusUnset = 0;
const statusError = 2;
/** `SpanFlags`: the trace is sampled, whether the parent is remote is known, and it is. */
const flagsLocal = 0x101;
const flagsRemote = 0x301;
/** Numbers of the fields that hold attributes, in `Span` and in `Span.Event`. */
const attributesOf = { span: 9, event: 3 } as const;
/** Encoded attributes of objects that many spans share, by the number of the field. */
const encodedShared = {
  [attributesOf.span]: new WeakMap<Attributes, Buffer>(),
  [attributesOf.event]: new WeakMap<Attributes, Buffer>(),
};
/** Names of attributes that are kept encoded; all those that we use are fewer. */
const encodedNamesMax = 256;
const encodedNames = new Map<string, AttributeName>();
/**
 * Attributes that are doubles even where their value has no fraction, as in vLLM: a backend that knows the type of an attribute
 * from its first value would refuse the others.
 */
const doubles = /_seconds$|^gen_ai\.latency\.|\.time_to_first_chunk$|\.(temperature|top_p)$/;
/** Bytes of a batch to begin with; it grows. */
const batchBytesAtFirst = 16_384;
/** Bytes of the varints in the head of a request. */
const headLengthBytesMax = 24;

interface AttributeName {
  /** A `KeyValue.key`. */
  readonly bytes: Buffer;
  readonly isDouble: boolean;
}

/** Spans of one export request, encoded. */
export class SpanBatch {
  readonly #spans: ProtobufWriter;
  /** Number of spans. */
  count = 0;

  /** @param headBytesMax Room for the head of the request. */
  constructor(headBytesMax: number) {
    this.#spans = new ProtobufWriter(batchBytesAtFirst, headBytesMax);
  }

  get bytes(): number {
    return this.#spans.length;
  }

  add(span: Span): void {
    writeSpan(this.#spans, span);
    this.count++;
  }

  /** `ScopeSpans.spans` of all behind the head of their request; valid until the next change. */
  behind(head: Buffer): Buffer {
    return this.#spans.behind(head);
  }

  /** Removes all spans; the memory stays for the next ones. */
  clear(): void {
    this.#spans.clear();
    this.count = 0;
  }
}

/** Makes export requests of one process. */
export class ExportRequests {
  readonly #resource: Buffer;
  readonly #scope: Buffer;

  /** @param resource Attributes of this process. */
  constructor(resource: Readonly<Record<string, string>>) {
    const writer = new ProtobufWriter(1_024);
    const begun = writer.begin(1);
    writeAttributes(writer, 1, resource);
    writeCount(writer, 2, 0);
    writer.end(begun);
    this.#resource = Buffer.from(writer.written);
    const scope = new ProtobufWriter(64);
    const scopeBegun = scope.begin(1);
    scope.text(1, scopeName);
    scope.text(2, version);
    scope.end(scopeBegun);
    this.#scope = Buffer.from(scope.written);
  }

  newBatch(): SpanBatch {
    return new SpanBatch(this.#resource.length + this.#scope.length + headLengthBytesMax);
  }

  /** An `ExportTraceServiceRequest` with these spans; valid until the batch changes. */
  of(batch: SpanBatch): Buffer {
    const scopeBytes = this.#scope.length + batch.bytes;
    const resourceBytes = this.#resource.length + 1 + varintBytes(scopeBytes) + scopeBytes;
    const head = new ProtobufWriter(this.#resource.length + this.#scope.length + 32);
    head.tag(1, wireTypes.bytes);
    head.varint(resourceBytes);
    const scope = new ProtobufWriter(16);
    scope.tag(2, wireTypes.bytes);
    scope.varint(scopeBytes);
    return batch.behind(Buffer.concat([head.written, this.#resource, scope.written, this.#scope]));
  }
}

/** Writes a span as a field of `ScopeSpans`. */
function writeSpan(writer: ProtobufWriter, span: Span): void {
  const { traceState, parentSpanId, events } = span;
  const begun = writer.begin(2);
  writer.hex(1, span.traceId);
  writer.hex(2, span.spanId);
  if (traceState !== undefined) writer.text(3, traceState);
  if (parentSpanId !== undefined) writer.hex(4, parentSpanId);
  writer.text(5, span.name);
  writeCount(writer, 6, kinds[span.kind]);
  writer.nanoseconds(7, span.startMs);
  writer.nanoseconds(8, span.endMs);
  if (span.shared !== undefined) writeShared(writer, attributesOf.span, span.shared);
  writeAttributes(writer, attributesOf.span, span.attributes);
  writeCount(writer, 10, 0);
  for (const event of events) writeEvent(writer, event);
  writeCount(writer, 12, 0);
  writeCount(writer, 14, 0);
  writeStatus(writer, span.error);
  const isRemote = parentSpanId !== undefined && span.isParentRemote;
  writer.fixed32(16, isRemote ? flagsRemote : flagsLocal);
  writer.end(begun);
}

function writeEvent(writer: ProtobufWriter, event: SpanEvent): void {
  const { name, atMs, attributes, shared } = event;
  const begun = writer.begin(11);
  writer.nanoseconds(1, atMs);
  writer.text(2, name);
  if (shared !== undefined) writeShared(writer, attributesOf.event, shared);
  writeAttributes(writer, attributesOf.event, attributes);
  writeCount(writer, 4, 0);
  writer.end(begun);
}

function writeStatus(writer: ProtobufWriter, error: string | undefined): void {
  const begun = writer.begin(15);
  if (error) writer.text(2, error);
  writeCount(writer, 3, error === undefined ? statusUnset : statusError);
  writer.end(begun);
}

/** Writes attributes that other spans or events have too, as the same objects. */
function writeShared(
  writer: ProtobufWriter,
  field: keyof typeof encodedShared,
  shared: readonly Attributes[],
): void {
  const encoded = encodedShared[field];
  for (const attributes of shared) {
    let bytes = encoded.get(attributes);
    if (bytes === undefined) {
      const own = new ProtobufWriter(256);
      writeAttributes(own, field, attributes);
      bytes = Buffer.from(own.written);
      encoded.set(attributes, bytes);
    }
    writer.raw(bytes);
  }
}

/** Attributes with a value. */
function writeAttributes(writer: ProtobufWriter, field: number, attributes: Attributes): void {
  for (const name in attributes) {
    const value = attributes[name];
    if (value === undefined) continue;
    const begun = writer.begin(field);
    const { bytes, isDouble } = encodedName(name);
    writer.raw(bytes);
    const valueBegun = writer.begin(2);
    if (isDouble && typeof value === 'number') writer.double(4, value);
    else writeValue(writer, value);
    writer.end(valueBegun);
    writer.end(begun);
  }
}

function encodedName(name: string): AttributeName {
  let encoded = encodedNames.get(name);
  if (encoded === undefined) {
    const writer = new ProtobufWriter(64);
    writer.text(1, name);
    encoded = { bytes: Buffer.from(writer.written), isDouble: doubles.test(name) };
    if (encodedNames.size < encodedNamesMax) encodedNames.set(name, encoded);
  }
  return encoded;
}

/** Writes an `AnyValue`. */
function writeValue(writer: ProtobufWriter, value: AttributeValue): void {
  if (typeof value === 'string') writer.text(1, value);
  else if (typeof value === 'boolean') writeCount(writer, 2, value ? 1 : 0);
  else if (typeof value === 'number') {
    const isInt64 = Number.isInteger(value) && value >= -(2 ** 63) && value < 2 ** 63;
    if (isInt64) writer.int64(3, value);
    else writer.double(4, value);
  } else {
    const begun = writer.begin(5);
    for (const text of value) {
      const textBegun = writer.begin(1);
      writer.text(1, text);
      writer.end(textBegun);
    }
    writer.end(begun);
  }
}

function writeCount(writer: ProtobufWriter, field: number, count: number): void {
  writer.tag(field, wireTypes.varint);
  writer.varint(count);
}
