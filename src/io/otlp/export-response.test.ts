import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ProtobufTraceSerializer } from '@opentelemetry/otlp-transformer';
import fc from 'fast-check';
import { refusalOf } from './export-response.ts';

const why = Buffer.from('no room');
/** `partial_success` with these fields. */
const responseOf = (...fields: readonly number[]): Buffer =>
  Buffer.from([10, fields.length, ...fields]);

test('reads how many spans a collector refused, and why', () => {
  const full = responseOf(8, 0xac, 0x02, 18, why.length, ...why);
  assert.deepEqual(refusalOf(full), { spans: 300, why: 'no room' });
  assert.deepEqual(refusalOf(responseOf(18, why.length, ...why)), { spans: 0, why: 'no room' });
  assert.deepEqual(refusalOf(Buffer.alloc(0)), { spans: 0, why: '' });
});

test('fields that it does not know are passed over', () => {
  const unknown = [0x39, 1, 2, 3, 4, 5, 6, 7, 8, 0x3d, 1, 2, 3, 4, 0x3a, 1, 9, 0x40, 5];
  assert.equal(refusalOf(Buffer.from([...unknown, ...responseOf(...unknown, 8, 2)])).spans, 2);
});

test('a negative number of spans is none', () => {
  const minusOne = [...Array.from({ length: 9 }, () => 0xff), 1];
  assert.equal(refusalOf(responseOf(8, ...minusOne)).spans, 0);
});

test('what is cut off or no message refuses nothing that was not read', () => {
  const full = responseOf(8, 3, 18, why.length, ...why);
  for (let length = 0; length < full.length; length++) {
    assert.deepEqual(refusalOf(full.subarray(0, length)), { spans: 0, why: '' });
  }
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
      const { spans } = refusalOf(Buffer.from(bytes));
      assert.ok(spans >= 0);
    }),
  );
});

test('reads responses as OpenTelemetry’s own reader does', () => {
  const field = fc.oneof(
    fc.tuple(fc.constant(8), fc.nat(0x7f)),
    fc.string({ maxLength: 20 }).map((text) => [18, Buffer.byteLength(text), ...Buffer.from(text)]),
  );
  fc.assert(
    fc.property(fc.array(field, { maxLength: 4 }), (fields) => {
      const response = responseOf(...fields.flat());
      const { partialSuccess } = ProtobufTraceSerializer.deserializeResponse(response);
      const spans = Number(partialSuccess?.rejectedSpans ?? 0);
      assert.deepEqual(refusalOf(response), { spans, why: partialSuccess?.errorMessage ?? '' });
    }),
  );
});
