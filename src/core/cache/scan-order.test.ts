import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ScanOrder } from './scan-order.ts';

test('a scan in steps reports each key once and ends with cursor 0', () => {
  const order = new ScanOrder();
  for (const key of ['a', 'b', 'c']) order.add(key);
  assert.deepEqual(order.step(0, 2), { keys: ['a', 'b'], next: 3 });
  assert.deepEqual(order.step(3, 2), { keys: ['c'], next: 0 });
  assert.deepEqual(order.step(99, 2), { keys: [], next: 0 });
});

test('keys that exist for the whole scan are reported exactly once, whatever comes and goes', () => {
  const change = fc.record({
    adds: fc.nat(3),
    removes: fc.array(fc.nat(5000), { maxLength: 400 }),
  });
  fc.assert(
    fc.property(
      fc.nat(3000),
      fc.integer({ min: 1, max: 700 }),
      fc.array(change),
      (n, count, changes) => {
        const order = new ScanOrder();
        const serials = new Map<string, number>();
        const add = () => {
          const key = `k${serials.size}`;
          serials.set(key, order.add(key));
        };
        for (let i = 0; i <= n; i++) add();
        const stable = new Set(serials.keys());
        const seen: string[] = [];
        let cursor = 0;
        for (let i = 0; ; i++) {
          const step = order.step(cursor, count);
          seen.push(...step.keys);
          cursor = step.next;
          if (cursor === 0) break;
          const { adds, removes } = changes[i] ?? { adds: 0, removes: [] };
          for (let j = 0; j < adds; j++) add();
          for (const number of removes) {
            order.remove(serials.get(`k${number}`) ?? 0);
            stable.delete(`k${number}`);
          }
        }
        assert.equal(new Set(seen).size, seen.length);
        for (const key of stable) assert.ok(seen.includes(key), key);
      },
    ),
    { numRuns: 40 },
  );
});

test('removed keys leave no memory behind', () => {
  const order = new ScanOrder();
  for (let i = 0; i < 100_000; i++) order.remove(order.add('k'));
  order.remove(7);
  assert.deepEqual(order.step(0, 1), { keys: [], next: 0 });
});
