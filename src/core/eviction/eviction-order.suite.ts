// What every eviction order promises, whatever it prefers.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { EvictionOrder } from './eviction-order.ts';

const key = fc.integer({ min: 0, max: 11 }).map((i) => `k${i}`);
const step = fc.oneof(
  fc.record({ kind: fc.constant('put' as const), key, bytes: fc.integer({ min: 0, max: 9 }) }),
  fc.record({ kind: fc.constant('use' as const), key }),
  fc.record({ kind: fc.constant('delete' as const), key }),
  fc.record({ kind: fc.constant('follows' as const), key, before: key, isCertain: fc.boolean() }),
  fc.record({ kind: fc.constant('evict' as const), count: fc.integer({ min: 1, max: 4 }), key }),
);

export function testEvictionOrder(name: string, create: () => EvictionOrder): void {
  test(`${name}: every key comes up once, absent ones never, whatever happened before`, () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
        const order = create();
        const present = new Set<string>();
        const drop = (gone: string, isEvicted: boolean) => {
          if (present.delete(gone)) order.remove(gone, isEvicted);
        };
        for (const one of steps) {
          if (one.kind === 'put') {
            drop(one.key, false);
            order.add(one.key, one.bytes);
            present.add(one.key);
          } else if (one.kind === 'use') order.use(one.key);
          else if (one.kind === 'delete') drop(one.key, false);
          else if (one.kind === 'follows') order.follows(one.key, one.before, one.isCertain);
          else evict(order, present, { count: one.count, inUse: one.key });
        }
        assert.deepEqual([...order.candidates()].sort(), [...present].sort());
        // They were all passed over, and come up again.
        assert.deepEqual([...order.candidates()].sort(), [...present].sort());
        evict(order, present, { count: present.size, inUse: '' });
        assert.deepEqual([...order.candidates()], []);
      }),
    );
  });

  test(`${name}: what is used all the time outlives a scan of values that are never used again`, () => {
    const order = create();
    const present = new Set<string>();
    for (let i = 0; i < 1000; i++) {
      if (present.size === 20) evict(order, present, { count: 1, inUse: '' });
      const added = i === 0 ? 'hot' : `k${i}`;
      order.add(added, 1);
      present.add(added);
      for (let j = 0; j < 3; j++) order.use('hot');
    }
    assert.ok(present.has('hot'));
  });

  test(`${name}: a thousand values in use cost one look each`, () => {
    const order = create();
    for (let i = 0; i < 1000; i++) order.add(`k${i}`, 1);
    let looks = 0;
    for (const _key of order.candidates()) looks++;
    assert.equal(looks, 1000);
  });
}

function evict(
  order: EvictionOrder,
  present: Set<string>,
  { count, inUse }: { readonly count: number; readonly inUse: string },
): void {
  let left = count;
  if (left === 0) return;
  for (const candidate of order.candidates()) {
    assert.ok(present.has(candidate), `${candidate} is not there`);
    if (candidate === inUse) continue;
    order.remove(candidate, true);
    present.delete(candidate);
    left--;
    if (left === 0) return;
  }
}
