// Compares both queues with a plain list.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Sequence } from './sequence.ts';
import { type WaitingQueue, waitingQueue } from './waiting-queue.ts';

let made = 0;

function sequenceOf(priority = 0, arrivalSeconds = 0): Sequence {
  const id = String(made++).padStart(6, '0');
  const request = { id, promptTokens: 1, maxTokens: 1, priority, arrivalSeconds };
  return new Sequence({ ...request, blockKey: () => 0 });
}

/** Applies the same operations to a queue and to a list, and compares them after each. */
function checkAgainst(
  queue: WaitingQueue,
  insert: (list: Sequence[], sequence: Sequence, atFront: boolean) => void,
  steps: readonly { kind: string; priority: number; arrival: number; which: number }[],
): void {
  const list: Sequence[] = [];
  for (const { kind, priority, arrival, which } of steps) {
    const chosen = list[which % Math.max(1, list.length)];
    if (kind === 'remove' && chosen) {
      queue.remove(chosen);
      list.splice(list.indexOf(chosen), 1);
    } else if (kind !== 'remove') {
      const sequence = sequenceOf(priority, arrival);
      if (kind === 'prepend') queue.prepend(sequence);
      else queue.push(sequence);
      insert(list, sequence, kind === 'prepend');
    }
    assert.equal(queue.size, list.length);
    assert.equal(queue.peek(), list[0]);
    assert.deepEqual(
      [...queue].map(({ request }) => request.id),
      list.map(({ request }) => request.id),
    );
  }
  while (list.length > 0) {
    const first = queue.peek() as Sequence;
    assert.equal(first, list.shift());
    queue.remove(first);
  }
  assert.equal(queue.peek(), undefined);
}

const steps = fc.array(
  fc.record({
    kind: fc.constantFrom('push', 'push', 'prepend', 'remove'),
    priority: fc.nat(3),
    arrival: fc.nat(3),
    which: fc.nat(50),
  }),
  { maxLength: 60, size: 'max' },
);

test('first come, first served: preempted requests go first, and any request may leave', () => {
  fc.assert(
    fc.property(steps, (given) => {
      checkAgainst(
        waitingQueue('fcfs'),
        (list, sequence, atFront) => {
          if (atFront) list.unshift(sequence);
          else list.push(sequence);
        },
        given,
      );
    }),
  );
});

test('by priority: the lower value first, then the earlier arrival, then the lower id, preempted or not', () => {
  const before = (a: Sequence, b: Sequence) =>
    a.request.priority - b.request.priority ||
    a.request.arrivalSeconds - b.request.arrivalSeconds ||
    (a.request.id < b.request.id ? -1 : 1);
  fc.assert(
    fc.property(steps, (given) => {
      checkAgainst(
        waitingQueue('priority'),
        (list, sequence) => {
          list.push(sequence);
          list.sort(before);
        },
        given,
      );
    }),
  );
});
