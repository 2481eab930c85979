// Spans as bytes of OTLP, by OpenTelemetry's own serializer.
import { ProtobufTraceSerializer } from '@opentelemetry/otlp-transformer';
import { version } from '../../core/base/index.ts';
import type { Attributes, Span } from '../../core/telemetry/index.ts';

/** A span as the serializer of OpenTelemetry reads it. */
export type OtelSpan = Parameters<typeof ProtobufTraceSerializer.serializeRequest>[0][number];

/** Numbers of `SpanKind` in OpenTelemetry's API. */
const kinds = { internal: 0, server: 1, client: 2 } as const;
const statusUnset = 0;
const statusError = 2;
const sampled = 1;
const scope = { name: 'spillway', version };

export class SpanEncoder {
  readonly #resource: OtelSpan['resource'];

  /** @param resource Attributes of this process. */
  constructor(resource: Readonly<Record<string, string>>) {
    // The serializer reads the attributes only.
    this.#resource = { attributes: resource } as OtelSpan['resource'];
  }

  /** An export request with these spans. */
  encode(spans: readonly Span[]): Uint8Array {
    const converted = spans.map((span) => this.otelSpan(span));
    return ProtobufTraceSerializer.serializeRequest(converted) ?? new Uint8Array();
  }

  /** @returns How many spans of the request the collector has refused, and why. */
  rejected(response: Uint8Array): { readonly spans: number; readonly why: string } {
    try {
      const { partialSuccess } = ProtobufTraceSerializer.deserializeResponse(response);
      const spans = Number(partialSuccess?.rejectedSpans ?? 0);
      return { spans, why: partialSuccess?.errorMessage ?? '' };
    } catch {
      // It has accepted the request, whatever else it says.
      return { spans: 0, why: '' };
    }
  }

  otelSpan(span: Span): OtelSpan {
    const { traceId, parentSpanId, error } = span;
    const traceState = span.traceState === undefined ? undefined : stateOf(span.traceState);
    const context = { traceId, spanId: span.spanId, traceFlags: sampled, traceState };
    const parent =
      parentSpanId === undefined
        ? {}
        : {
            parentSpanContext: {
              ...{ traceId, spanId: parentSpanId, traceFlags: sampled },
              isRemote: span.isParentRemote,
            },
          };
    return {
      name: span.name,
      kind: kinds[span.kind],
      spanContext: () => context as ReturnType<OtelSpan['spanContext']>,
      ...parent,
      startTime: timeOf(span.startMs),
      endTime: timeOf(span.endMs),
      status: error === undefined ? { code: statusUnset } : { code: statusError, message: error },
      attributes: present(span.attributes),
      links: [],
      events: span.events.map(({ name, atMs, attributes }) => ({
        ...{ name, time: timeOf(atMs), attributes: present(attributes) },
      })),
      duration: timeOf(span.endMs - span.startMs),
      ended: true,
      resource: this.#resource,
      instrumentationScope: scope,
      droppedAttributesCount: 0,
      droppedEventsCount: 0,
      droppedLinksCount: 0,
    };
  }
}

/** Attributes with a value. */
function present(attributes: Attributes): OtelSpan['attributes'] {
  const kept: Record<string, unknown> = {};
  for (const name in attributes) {
    const value = attributes[name];
    if (value !== undefined) kept[name] = value;
  }
  return kept as OtelSpan['attributes'];
}

/** Seconds and nanoseconds. A double keeps a Unix time to a quarter of a microsecond. */
function timeOf(milliseconds: number): [number, number] {
  const seconds = Math.floor(milliseconds / 1000);
  return [seconds, Math.floor((milliseconds - seconds * 1000) * 1e6)];
}

/** The trace state as the serializer asks for it: it is written as it is. */
function stateOf(text: string): { serialize(): string } {
  return { serialize: () => text };
}
