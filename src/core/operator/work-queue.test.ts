import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '../base/index.ts';
import { WorkQueue } from './work-queue.ts';

function queueAt(): { readonly queue: WorkQueue; readonly clock: ManualClock } {
  const clock = new ManualClock();
  return { queue: new WorkQueue(clock, { next: () => 1 }), clock };
}

test('a key that is added twice is worked once', () => {
  const { queue } = queueAt();
  queue.add('a');
  queue.add('b');
  queue.add('a');
  assert.deepEqual([queue.take(), queue.take(), queue.take()], ['a', 'b', undefined]);
});

test('a key that is added during its work is worked again, but not at the same time', () => {
  const { queue } = queueAt();
  queue.add('a');
  queue.take();
  queue.add('a');
  assert.equal(queue.take(), undefined);
  assert.equal(queue.waitSeconds(), undefined);
  queue.done('a', false);
  assert.equal(queue.take(), 'a');
});

test('a key that fails waits longer each time, up to a minute, and at once again after a success', () => {
  const { queue, clock } = queueAt();
  const pauses: number[] = [];
  queue.add('a');
  for (let i = 0; i < 12; i++) {
    assert.equal(queue.take(), 'a');
    queue.done('a', true);
    pauses.push(queue.waitSeconds() ?? -1);
    clock.advance(pauses.at(-1) ?? 0);
  }
  assert.deepEqual(
    pauses.slice(0, 4).map((seconds) => seconds.toFixed(2)),
    ['0.20', '0.40', '0.80', '1.60'],
  );
  assert.equal(pauses.at(-1)?.toFixed(2), '60.00');
  queue.take();
  queue.done('a', false);
  queue.add('a');
  assert.equal(queue.waitSeconds(), 0);
});

test('the earlier of two due times counts', () => {
  const { queue, clock } = queueAt();
  queue.add('a', 60);
  queue.add('a', 5);
  queue.add('a', 30);
  assert.equal(queue.waitSeconds(), 5);
  clock.advance(5);
  assert.equal(queue.take(), 'a');
});
