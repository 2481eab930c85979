import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { serversFor, waitProbability } from './erlang.ts';

test('the probability to wait is that of Erlang’s tables', () => {
  // One server is busy as often as its load says; the others are from the formula by hand.
  assert.equal(waitProbability(1, 0.7), 0.7);
  assert.ok(Math.abs(waitProbability(2, 1) - 1 / 3) < 1e-12);
  assert.ok(Math.abs(waitProbability(3, 2) - 4 / 9) < 1e-12);
  assert.equal(waitProbability(5, 0), 0);
});

test('without a load one server is enough, and too much load takes all', () => {
  const level = { waitSeconds: 1, share: 0.01 };
  assert.equal(serversFor(0, 1, level, 10), 1);
  assert.equal(serversFor(50, 1, level, 10), 10);
});

test('more load never needs fewer servers, and the servers always carry the load', () => {
  const loads = fc.double({ min: 0, max: 60, noNaN: true });
  const level = fc.record({
    waitSeconds: fc.double({ min: 0, max: 20, noNaN: true }),
    share: fc.double({ min: 0.001, max: 0.5, noNaN: true }),
  });
  fc.assert(
    fc.property(loads, loads, level, (load, extra, wanted) => {
      const servers = serversFor(load, 0.7, wanted, 1000);
      assert.ok(servers > load);
      assert.ok(serversFor(load + extra, 0.7, wanted, 1000) >= servers);
    }),
  );
});
