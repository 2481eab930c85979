import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Sequence } from '../sequence.ts';
import { LoadingRequests } from './loading-requests.ts';

function sequenceOf(id: string, priority = 0): Sequence {
  const request = { id, promptTokens: 1, maxTokens: 1, priority, arrivalSeconds: 0 };
  return new Sequence({ ...request, blockKey: () => 0 });
}

const idsOf = (sequences: readonly Sequence[]) =>
  sequences.map(({ request }) => request.id).join('');

test('requests are scheduled in order of arrival, or by priority', () => {
  for (const [policy, order] of [
    ['fcfs', 'abcd'],
    ['priority', 'cbda'],
  ] as const) {
    const loading = new LoadingRequests(policy);
    const given = [sequenceOf('a', 3), sequenceOf('b', 1), sequenceOf('c', 0), sequenceOf('d', 1)];
    for (const sequence of given) loading.add(sequence);
    assert.equal(idsOf(loading.inOrder()), order);
    assert.ok(given.every(({ state }) => state === 'loading'));
  }
});

test('does not change a list while a caller iterates over it', () => {
  const loading = new LoadingRequests('fcfs');
  const [a, b] = [sequenceOf('a'), sequenceOf('b')];
  loading.add(a);
  const before = loading.inOrder();
  loading.add(b);
  loading.remove(a);
  assert.equal(idsOf(before), 'a');
  assert.equal(idsOf(loading.inOrder()), 'b');
});

test('counts a loaded request until it leaves, and settles it once', () => {
  const loading = new LoadingRequests('fcfs');
  const [a, b] = [sequenceOf('a'), sequenceOf('b')];
  for (const sequence of [a, b]) loading.add(sequence);
  assert.deepEqual(loading.done(a), { sequence: a, isOrphan: false });
  assert.deepEqual([a.state, b.state, loading.size, loading.loaded], ['loaded', 'loading', 2, 1]);
  assert.equal(loading.settle(a), true);
  assert.equal(loading.settle(a), false);
  loading.remove(b);
  assert.deepEqual([loading.size, loading.loaded], [1, 1]);
  loading.remove(a);
  assert.deepEqual([loading.size, loading.loaded], [0, 0]);
  assert.equal(loading.settle(a), true, 'it may come again');
});

test('a request aborted during its load keeps its blocks until the load is done', () => {
  const loading = new LoadingRequests('fcfs');
  const [a, b, c] = [sequenceOf('a'), sequenceOf('b'), sequenceOf('c')];
  for (const sequence of [a, b]) loading.add(sequence);
  loading.done(b);
  loading.abort(a);
  loading.abort(b);
  loading.keep(c);
  assert.equal(loading.size, 0);
  assert.equal(idsOf(loading.holders()), 'ac', 'a loaded request returns its blocks at once');
  assert.deepEqual(loading.done(a), { sequence: a, isOrphan: true });
  assert.deepEqual(loading.done(c), { sequence: c, isOrphan: true });
  assert.deepEqual([idsOf(loading.holders()), loading.loaded], ['', 0]);
});
