import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { testSeed } from '../../../test/support/seed.ts';
import { joinTraceState, traceStateEntriesMax, traceStateLengthMax } from './index.ts';

const seed = testSeed('tracestate');

test('joins several headers in their order and drops white space and empty entries', () => {
  assert.equal(
    joinTraceState(['rojo=00f0 , congo=t61', ',', '\tx@y=1']),
    'rojo=00f0,congo=t61,x@y=1',
  );
});

test('a request without the header has no trace state', () => {
  assert.equal(joinTraceState([]), undefined);
  assert.equal(joinTraceState(['']), undefined);
});

for (const [what, text] of [
  ['has no value', 'rojo'],
  ['has an empty value', 'rojo='],
  ['has an empty key', '=1'],
  ['has an equals sign in its value', 'rojo=a=b'],
  ['has an upper-case key', 'Rojo=1'],
  ['has two at signs', 'a@b@c=1'],
  ['has a key that starts with a sign', '-a=1'],
  ['has the same key twice', 'a=1,a=2'],
  ['has a key of 257 characters', `${'a'.repeat(257)}=1`],
  ['has a line end in its value', 'a=1\r\nx: y'],
] as const) {
  test(`drops a header that ${what}`, () => assert.equal(joinTraceState([text]), undefined));
}

test('passes on as many entries and characters as the bounds allow, and drops a header beyond them', () => {
  const entries = Array.from({ length: traceStateEntriesMax }, (_, i) => `k${i}=v`);
  assert.equal(joinTraceState([entries.join(',')]), entries.join(','));
  assert.equal(joinTraceState([...entries, 'more=1']), undefined);
  const longest = `a=${'x'.repeat(254)},b=${'y'.repeat(traceStateLengthMax - 259)}`;
  assert.equal(longest.length, traceStateLengthMax);
  assert.equal(joinTraceState([longest]), longest);
  assert.equal(joinTraceState([`${longest},`]), undefined);
});

test('what it passes on is one valid header line within the bounds, whatever a client sends', () => {
  const entry = fc.tuple(
    fc.string({ unit: fc.constantFrom(...'az09_-*/@A \t='), maxLength: 6 }),
    fc.string({ unit: 'binary-ascii', maxLength: 6 }),
  );
  const header = fc
    .array(entry, { maxLength: 40 })
    .map((all) => all.map((pair) => pair.join('=')).join(','));
  fc.assert(
    fc.property(fc.array(header, { maxLength: 3 }), (values) => {
      const joined = joinTraceState(values);
      if (joined === undefined) return;
      assert.match(joined, /^[\x21-\x7e][\x20-\x7e]*$/);
      assert.ok(joined.length <= traceStateLengthMax);
      assert.ok(joined.split(',').length <= traceStateEntriesMax);
      assert.equal(joinTraceState([joined]), joined);
    }),
    { seed, numRuns: 1000 },
  );
});
