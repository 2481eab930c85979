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
/** Bytes of a batch to begin with; it grows. */
const batchBytesAtFirst = 16_384;

/** Spans of one export request, encoded. */
export class SpanBatch {
  readonly #spans = new ProtobufWriter(batchBytesAtFirst);
  /** Number of spans. */
  count = 0;

  get bytes(): number {
    return this.#spans.length;
  }

  add(span: Span): void {
    writeSpan(this.#spans, span);
    this.count++;
  }

  /** `ScopeSpans.spans` of all. */
  get written(): Buffer {
    return this.#spans.written;
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

  /** An `ExportTraceServiceRequest` with these spans. */
  of(batch: SpanBatch): Buffer {
    const spans = batch.written;
    const scopeBytes = this.#scope.length + spans.length;
    const resourceBytes = this.#resource.length + 1 + varintBytes(scopeBytes) + scopeBytes;
    const head = new ProtobufWriter(this.#resource.length + this.#scope.length + 32);
    head.tag(1, wireTypes.bytes);
    head.varint(resourceBytes);
    const scope = new ProtobufWriter(16);
    scope.tag(2, wireTypes.bytes);
    scope.varint(scopeBytes);
    return Buffer.concat([head.written, this.#resource, scope.written, this.#scope, spans]);
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
  writeAttributes(writer, 9, span.attributes);
  writeCount(writer, 10, 0);
  for (const event of events) writeEvent(writer, event);
  writeCount(writer, 12, 0);
  writeCount(writer, 14, 0);
  writeStatus(writer, span.error);
  const isRemote = parentSpanId !== undefined && span.isParentRemote;
  writer.fixed32(16, isRemote ? flagsRemote : flagsLocal);
  writer.end(begun);
}

function writeEvent(writer: ProtobufWriter, { name, atMs, attributes }: SpanEvent): void {
  const begun = writer.begin(11);
  writer.nanoseconds(1, atMs);
  writer.text(2, name);
  writeAttributes(writer, 3, attributes);
  writeCount(writer, 4, 0);
  writer.end(begun);
}

function writeStatus(writer: ProtobufWriter, error: string | undefined): void {
  const begun = writer.begin(15);
  if (error) writer.text(2, error);
  writeCount(writer, 3, error === undefined ? statusUnset : statusError);
  writer.end(begun);
}

/** Attributes with a value. */
function writeAttributes(writer: ProtobufWriter, field: number, attributes: Attributes): void {
  for (const name in attributes) {
    const value = attributes[name];
    if (value === undefined) continue;
    const begun = writer.begin(field);
    writer.text(1, name);
    const valueBegun = writer.begin(2);
    writeValue(writer, value);
    writer.end(valueBegun);
    writer.end(begun);
  }
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
