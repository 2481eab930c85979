import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ProtobufTraceSerializer } from '@opentelemetry/otlp-transformer';
import fc from 'fast-check';
import { version } from '../../core/base/index.ts';
import type { Attributes, Span } from '../../core/telemetry/index.ts';
import { ExportRequests } from './span-encoding.ts';

/** A span as OpenTelemetry's own serializer reads it. */
type OtelSpan = Parameters<typeof ProtobufTraceSerializer.serializeRequest>[0][number];

const resourceAttributes = { 'service.name': 'test', 'service.version': 'é' };
const resource = { attributes: resourceAttributes } as unknown as OtelSpan['resource'];
const scope = { name: 'spillway', version };

function requestOf(spans: readonly Span[]): Buffer {
  const requests = new ExportRequests(resourceAttributes);
  const batch = requests.newBatch();
  for (const span of spans) batch.add(span);
  return requests.of(batch);
}

function otelSpan(span: Span): OtelSpan {
  const { traceId, spanId, parentSpanId, traceState, error } = span;
  const time = (ms: number): [number, number] => {
    const seconds = Math.floor(ms / 1000);
    return [seconds, Math.floor((ms - seconds * 1000) * 1e6)];
  };
  const present = (attributes: Attributes, shared: readonly Attributes[] = []) =>
    Object.fromEntries(
      [...shared, attributes]
        .flatMap((some) => Object.entries(some))
        .filter(([, value]) => value !== undefined),
    );
  return {
    ...{ name: span.name, kind: { internal: 0, server: 1, client: 2 }[span.kind] },
    spanContext: () => ({
      ...{ traceId, spanId, traceFlags: 1 },
      traceState: traceState === undefined ? undefined : { serialize: () => traceState },
    }),
    parentSpanContext: parentSpanId && {
      ...{ traceId, spanId: parentSpanId, traceFlags: 1, isRemote: span.isParentRemote },
    },
    ...{ startTime: time(span.startMs), endTime: time(span.endMs), duration: [0, 0] },
    status: error === undefined ? { code: 0 } : { code: 2, message: error },
    ...{ attributes: present(span.attributes, span.shared), links: [], ended: true },
    events: span.events.map((event) => ({
      ...{
        name: event.name,
        time: time(event.atMs),
        attributes: present(event.attributes, event.shared),
      },
    })),
    ...{ resource, instrumentationScope: scope },
    ...{ droppedAttributesCount: 0, droppedEventsCount: 0, droppedLinksCount: 0 },
  } as unknown as OtelSpan;
}

const hex = (digits: number) =>
  fc.string({ unit: fc.constantFrom(...'0123456789abcdef'), minLength: digits, maxLength: digits });
// Lengths around 64 and 128 take different ways.
const text = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 20 }),
  fc.string({ unit: 'binary-ascii', minLength: 60, maxLength: 140 }),
);
const number = fc.oneof(fc.integer(), fc.maxSafeInteger(), fc.double(), fc.constant(2 ** 63));
const attributes = fc.dictionary(
  fc.string({ unit: 'grapheme', maxLength: 30 }).filter((name) => name !== '__proto__'),
  fc.oneof(text, number, fc.boolean(), fc.array(text, { maxLength: 3 }), fc.constant(undefined)),
  { maxKeys: 8 },
);
const unixMs = fc.double({ min: 0, max: 4_000_000_000_000, noNaN: true });
const event = fc.record({ name: text, atMs: unixMs, attributes });
const span: fc.Arbitrary<Span> = fc.record({
  name: text,
  kind: fc.constantFrom('server', 'client', 'internal'),
  ...{ traceId: hex(32), spanId: hex(16) },
  parentSpanId: fc.option(hex(16), { nil: undefined }),
  isParentRemote: fc.boolean(),
  traceState: fc.option(fc.constantFrom('a=1', 'a=1,b=2'), { nil: undefined }),
  ...{ startMs: unixMs, endMs: unixMs, attributes },
  events: fc.array(event, { maxLength: 3 }),
  error: fc.option(text, { nil: undefined }),
});

test('an export request has the bytes that OpenTelemetry’s own serializer writes', () => {
  fc.assert(
    fc.property(fc.array(span, { minLength: 1, maxLength: 5 }), (spans) => {
      const theirs = ProtobufTraceSerializer.serializeRequest(spans.map(otelSpan));
      assert.deepEqual(requestOf(spans), Buffer.from(theirs as Uint8Array));
    }),
    { numRuns: 300 },
  );
});

test('attributes that spans and events share are in each of them, whatever else they have', () => {
  const shared = [{ 'shared.text': 'é', missing: undefined }, { 'shared.count': 3 }] as const;
  const drawn = fc.sample(span, { numRuns: 20, seed: 2 });
  const spans = drawn.map((one): Span => {
    return { ...one, shared, events: one.events.map((event) => ({ ...event, shared })) };
  });
  const theirs = ProtobufTraceSerializer.serializeRequest(spans.map(otelSpan));
  assert.deepEqual(requestOf(spans), Buffer.from(theirs as Uint8Array));
});

test('a batch that is used again holds only the later spans', () => {
  const requests = new ExportRequests(resourceAttributes);
  const [first, second] = fc.sample(span, { numRuns: 2, seed: 3 }) as [Span, Span];
  const batch = requests.newBatch();
  batch.add(first);
  requests.of(batch);
  batch.clear();
  batch.add(second);
  assert.deepEqual(requests.of(batch), requestOf([second]));
  assert.equal(batch.count, 1);
});

test('a batch that outgrows its buffer keeps what was written', () => {
  const [one] = fc.sample(span, { numRuns: 1, seed: 1 }) as [Span];
  const spans = Array.from({ length: 256 }, (_, at): Span => {
    return { ...one, attributes: { at, text: 'x'.repeat(at * 10) } };
  });
  const theirs = ProtobufTraceSerializer.serializeRequest(spans.map(otelSpan));
  assert.deepEqual(requestOf(spans), Buffer.from(theirs as Uint8Array));
});

test('times and shares are doubles even where they have no fraction, counts are integers', () => {
  const typeTagOf = (name: string) => {
    const bytes = requestOf([spanWith({ [name]: 1 })]);
    const at = bytes.indexOf(name) + name.length;
    // The tag of the value, its length, and the tag within.
    return bytes[at + 2];
  };
  const [int, double] = [0x18, 0x21];
  for (const name of [
    'spillway.queue_seconds',
    'gen_ai.latency.time_in_queue',
    'gen_ai.response.time_to_first_chunk',
    'gen_ai.request.temperature',
  ]) {
    assert.equal(typeTagOf(name), double, name);
  }
  assert.equal(typeTagOf('gen_ai.usage.input_tokens'), int);
});

function spanWith(attributes: Attributes): Span {
  return {
    ...{ name: 'n', kind: 'server', traceId: '1'.repeat(32), spanId: '2'.repeat(16) },
    ...{ parentSpanId: undefined, isParentRemote: false, traceState: undefined },
    ...{ startMs: 1, endMs: 2, attributes, events: [], error: undefined },
  };
}
