import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ManualClock } from '../base/index.ts';
import { Leadership, type Lease } from './leadership.ts';

const now = '2026-01-01T00:00:00.000000Z';

test('a free lease is taken, kept by renewing it, and lost without', () => {
  const clock = new ManualClock();
  const one = new Leadership('a', clock);
  const step = one.next(undefined, now);
  assert.ok(step.do === 'write');
  assert.equal(step.spec.leaseTransitions, 0);
  assert.equal(one.isLeader, false, 'not before the write has succeeded');
  one.written(clock.nowSeconds());
  assert.equal(one.isLeader, true);
  clock.advance(9);
  const again = one.next({ spec: step.spec, resourceVersion: '1' }, now);
  assert.ok(again.do === 'write');
  assert.equal(again.spec.acquireTime, step.spec.acquireTime);
  clock.advance(1);
  assert.equal(one.isLeader, false);
});

test('another operator takes a lease that has not changed for its duration, by its own clock', () => {
  const clock = new ManualClock();
  const two = new Leadership('b', clock);
  const lease = { spec: { holderIdentity: 'a', leaseDurationSeconds: 15, leaseTransitions: 3 } };
  assert.equal(two.next({ ...lease, resourceVersion: '1' }, now).do, 'wait');
  clock.advance(14);
  assert.equal(two.next({ ...lease, resourceVersion: '2' }, now).do, 'wait');
  clock.advance(14);
  assert.equal(two.next({ ...lease, resourceVersion: '2' }, now).do, 'wait');
  clock.advance(1);
  const step = two.next({ ...lease, resourceVersion: '2' }, now);
  assert.ok(step.do === 'write');
  assert.deepEqual([step.spec.holderIdentity, step.spec.leaseTransitions], ['b', 4]);
});

test('two operators never lead at once, whatever is late or lost', () => {
  // Each look may be late, and its write may get lost; a write based on an old version fails, as at the API server.
  const look = fc.record({
    who: fc.nat(1),
    pause: fc.nat(8),
    isLost: fc.boolean(),
    isSlow: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(look, { maxLength: 60 }), (looks) => {
      const clock = new ManualClock();
      const both = [new Leadership('a', clock), new Leadership('b', clock)];
      let lease: Lease | undefined;
      let version = 0;
      for (const { who, pause, isLost, isSlow } of looks) {
        clock.advance(pause);
        const one = both[who] as Leadership;
        const step = one.next(lease, now);
        if (step.do === 'wait') {
          one.lost();
          continue;
        }
        const startedSeconds = clock.nowSeconds();
        if (isSlow) clock.advance(5);
        // The write arrives, but the response may not.
        version++;
        lease = { spec: step.spec, resourceVersion: String(version) };
        if (!isLost) one.written(startedSeconds);
        assert.ok(!(both[0]?.isLeader && both[1]?.isLeader));
      }
    }),
  );
});
