import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ForeignLoad } from './foreign-load.ts';

const idle = { inflight: 0, queued: 0, waitSeconds: 0 };
const prefillSeconds = 0.5;

function report(running: number, waiting: number, atSeconds = 10) {
  return { atSeconds, running, waiting, kvUsage: 0 };
}

test('requests beyond those of this router belong to others', () => {
  const foreign = new ForeignLoad();
  foreign.reported(report(6, 0), { inflight: 4, queued: 0, waitSeconds: 0 }, prefillSeconds);
  assert.deepEqual([foreign.inflight, foreign.queued, foreign.waitSeconds(10)], [2, 0, 0]);
});

test('a queue of other routers adds to our own and drains', () => {
  const foreign = new ForeignLoad();
  // Five wait and one of the running is in prefill; two of the six are ours.
  foreign.reported(report(3, 5), { inflight: 2, queued: 2, waitSeconds: 1 }, prefillSeconds);
  assert.deepEqual([foreign.inflight, foreign.queued], [6, 4]);
  assert.equal(foreign.waitSeconds(10), 1 + 4 * prefillSeconds);
  assert.equal(foreign.waitSeconds(11), 4 * prefillSeconds);
  assert.equal(foreign.waitSeconds(14), 0);
});

test('with one router the load of others is zero, whatever waits', () => {
  const foreign = new ForeignLoad();
  foreign.reported(report(3, 5), { inflight: 8, queued: 6, waitSeconds: 3 }, prefillSeconds);
  foreign.sent(0.5, 1.05, 10);
  assert.deepEqual([foreign.inflight, foreign.queued, foreign.waitSeconds(10)], [0, 0, 0]);
});

test('between reports other routers are assumed to send as we do, until the next report', () => {
  const foreign = new ForeignLoad();
  foreign.reported(report(0, 0), idle, prefillSeconds);
  foreign.sent(0.5, 3, 10);
  foreign.sent(0.5, 3, 10);
  assert.equal(foreign.waitSeconds(11), 2);
  foreign.reported(report(1, 0, 12), idle, prefillSeconds);
  assert.equal(foreign.waitSeconds(12), 0);
});

test('an engine that stops reporting is assumed to have no requests of others', () => {
  const foreign = new ForeignLoad();
  foreign.reported(report(9, 9), idle, prefillSeconds);
  assert.equal(foreign.waitSeconds(60), 0);
  assert.deepEqual([foreign.inflight, foreign.queued], [0, 0]);
});

test('a report expires after 30 s and is certain for 29 s', () => {
  const foreign = new ForeignLoad();
  assert.equal(foreign.knownUntilSeconds, Infinity);
  foreign.reported(report(9, 9, 100), idle, prefillSeconds);
  assert.equal(foreign.knownUntilSeconds, 129);
  foreign.waitSeconds(130);
  assert.deepEqual([foreign.inflight, foreign.queued], [18, 10]);
  foreign.waitSeconds(130.1);
  assert.deepEqual([foreign.inflight, foreign.queued], [0, 0]);
});

test('others are assumed to send too from 1.2 times our own traffic', () => {
  const waitAfter = (share: number) => {
    const foreign = new ForeignLoad();
    foreign.sent(0.5, share, 10);
    return foreign.waitSeconds(10);
  };
  assert.equal(waitAfter(1.19), 0);
  assert.ok(Math.abs(waitAfter(1.2) - 0.6) < 1e-9);
});
