import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { testSeed } from '../../../test/support/seed.ts';
import { formatTraceparent, parseTraceparent } from './index.ts';

const seed = testSeed('traceparent');
const traceId = '0af7651916cd43dd8448eb211c80319c';
const spanId = 'b7ad6b7169203331';
const valid = `00-${traceId}-${spanId}-01`;

test('reads the example of the specification', () => {
  assert.deepEqual(parseTraceparent(valid), { traceId, spanId, isSampled: true });
  assert.equal(parseTraceparent(`00-${traceId}-${spanId}-00`)?.isSampled, false);
});

test('reads only the lowest flag: others may mean something later', () => {
  assert.equal(parseTraceparent(`00-${traceId}-${spanId}-02`)?.isSampled, false);
  assert.equal(parseTraceparent(`00-${traceId}-${spanId}-ff`)?.isSampled, true);
});

test('reads a later version, which may have more fields', () => {
  assert.deepEqual(parseTraceparent(`cc-${traceId}-${spanId}-01`)?.traceId, traceId);
  assert.deepEqual(parseTraceparent(`cc-${traceId}-${spanId}-01-what-next`)?.traceId, traceId);
  assert.equal(parseTraceparent(`cc-${traceId}-${spanId}-01.what`), undefined);
});

for (const [what, text] of [
  ['is empty', ''],
  ['is cut off', valid.slice(0, -1)],
  ['has version ff', `ff-${traceId}-${spanId}-01`],
  ['has more fields than version 00', `${valid}-more`],
  ['has upper-case digits', valid.toUpperCase()],
  ['has a trace id of zeros', `00-${'0'.repeat(32)}-${spanId}-01`],
  ['has a span id of zeros', `00-${traceId}-${'0'.repeat(16)}-01`],
  ['has another character among its digits', `00-${traceId.replace('a', 'g')}-${spanId}-01`],
  ['has no dashes', valid.replaceAll('-', '_')],
  ['begins with a space', ` ${valid}`],
] as const) {
  test(`refuses a header that ${what}`, () => assert.equal(parseTraceparent(text), undefined));
}

test('reads what it writes', () => {
  const digits = (length: number) =>
    fc
      .string({
        unit: fc.constantFrom(...'0123456789abcdef'),
        minLength: length,
        maxLength: length,
      })
      .filter((id) => !/^0+$/.test(id));
  fc.assert(
    fc.property(digits(32), digits(16), fc.boolean(), (trace, span, isSampled) => {
      const context = { traceId: trace, spanId: span, isSampled };
      assert.deepEqual(parseTraceparent(formatTraceparent(trace, span, isSampled)), context);
    }),
    { seed },
  );
});

test('what it reads from any text is valid to write again', () => {
  const nearly = fc
    .tuple(fc.nat(54), fc.string({ unit: 'binary', maxLength: 3 }))
    .map(([at, other]) => valid.slice(0, at) + other + valid.slice(at + other.length));
  fc.assert(
    fc.property(fc.oneof(nearly, fc.string({ unit: 'binary' })), (text) => {
      const context = parseTraceparent(text);
      if (context === undefined) return;
      const { traceId: trace, spanId: span, isSampled } = context;
      assert.match(
        formatTraceparent(trace, span, isSampled),
        /^00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]$/,
      );
    }),
    { seed, numRuns: 2000 },
  );
});
