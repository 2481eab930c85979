import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CoreAssignment, CountCoordinator } from './core-assignment.ts';

test('a server takes the core with the fewest requests that it knows of, waiting ones counted four times', () => {
  const server = new CoreAssignment(2);
  assert.deepEqual([server.next(), server.next(), server.next()], [0, 1, 0]);
  server.receive([
    [1, 2],
    [0, 5],
  ]);
  // 6 and 5, then 6 and 9.
  assert.deepEqual([server.next(), server.next()], [1, 0]);
});

test('servers begin with different cores, and count their own requests as if the others sent as many', () => {
  const second = new CoreAssignment(2, { servers: 2, server: 1 });
  assert.equal(second.next(), 1);
  second.receive([
    [0, 7],
    [0, 0],
  ]);
  // Scores 7 and 0, then 7 and 8.
  assert.deepEqual([second.next(), second.next()], [1, 0]);
});

test('counts are published 0.1 s apart, those of the step before when a new step is reported', () => {
  const coordinator = new CountCoordinator();
  coordinator.report([[0, 1]], 1);
  assert.equal(coordinator.publishedUntil(1.04), undefined, 'other cores may still report');
  assert.deepEqual(coordinator.publishedUntil(1.06), [[0, 1]]);
  assert.equal(coordinator.publishedUntil(9), undefined, 'nothing has changed');
  coordinator.report([[0, 2]], 10);
  coordinator.report([[0, 3]], 10.02);
  assert.deepEqual(coordinator.publishedUntil(10.03), [[0, 2]]);
  assert.equal(coordinator.publishedUntil(10.11), undefined);
  assert.deepEqual(coordinator.publishedUntil(10.13), [[0, 3]]);
});
