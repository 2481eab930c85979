import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TrafficShare } from './traffic-share.ts';

test('a router that knows of nobody else takes all traffic for its own', () => {
  const share = new TrafficShare();
  assert.equal(share.allPerOwn, 1);
  share.count(4, 4, 1);
  // On its way when the engine counted.
  share.count(3, 4, 1);
  assert.equal(share.allPerOwn, 1);
});

test('a third of the traffic is known as a third, over engines that differ', () => {
  const share = new TrafficShare();
  for (let second = 0; second < 60; second++) {
    share.count(12, 5, second);
    share.count(6, 1, second);
  }
  assert.ok(Math.abs(share.allPerOwn - 3) < 1e-9);
});

test('routers that come or go are noticed within a minute', () => {
  const share = new TrafficShare();
  for (let second = 0; second < 600; second++) share.count(12, 12, second);
  for (let second = 600; second < 660; second++) share.count(12, 3, second);
  assert.ok(share.allPerOwn > 3.5, `${share.allPerOwn}`);
});
