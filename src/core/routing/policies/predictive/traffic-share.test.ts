import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TrafficShare } from './traffic-share.ts';

test('a router without evidence of others assumes that all traffic is its own', () => {
  const share = new TrafficShare();
  assert.equal(share.allPerOwn, 1);
  share.count(4, 4, 1);
  // On its way when the engine counted.
  share.count(3, 4, 1);
  assert.equal(share.allPerOwn, 1);
});

test('a third of the traffic is measured as a third, over different engines', () => {
  const share = new TrafficShare();
  for (let second = 0; second < 60; second++) {
    share.count(12, 5, second);
    share.count(6, 1, second);
  }
  assert.ok(Math.abs(share.allPerOwn - 3) < 1e-9);
});

test('routers that join or leave are noticed within a minute', () => {
  const share = new TrafficShare();
  for (let second = 0; second < 600; second++) share.count(12, 12, second);
  for (let second = 600; second < 660; second++) share.count(12, 3, second);
  assert.ok(share.allPerOwn > 3.5, `${share.allPerOwn}`);
});
