import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { CounterTotal } from './counter-total.ts';

const of = (counts: Readonly<Record<string, number | undefined>>) =>
  new Map(Object.entries(counts));

test('what pods count is added up while they come, restart and go', () => {
  const total = new CounterTotal();
  assert.equal(total.add(of({ a: 1000, b: 10 })), 0, 'counted before the first look');
  assert.equal(total.add(of({ a: 1005, b: 12 })), 7);
  assert.equal(total.add(of({ a: 1005, b: 3 })), 10, 'b has restarted');
  assert.equal(total.add(of({ a: 1006, b: 3, c: 4 })), 15, 'c is new');
  assert.equal(total.add(of({ b: 3, c: 4 })), 15, 'a has gone');
  assert.equal(total.add(of({})), 15);
});

test('a pod that was not read once counts from where it was', () => {
  const total = new CounterTotal();
  total.add(of({ a: 100 }));
  assert.equal(total.add(of({ a: undefined })), 0);
  assert.equal(total.add(of({ a: 130 })), 30);
});

test('the total never falls', () => {
  const counts = fc.dictionary(
    fc.constantFrom('a', 'b', 'c'),
    fc.option(fc.nat(1000), { nil: undefined }),
    { noNullPrototype: true },
  );
  fc.assert(
    fc.property(fc.array(counts), (looks) => {
      const total = new CounterTotal();
      let last = 0;
      for (const look of looks) {
        const now = total.add(of(look));
        assert.ok(now >= last);
        last = now;
      }
    }),
  );
});
