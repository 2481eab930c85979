import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ForeignLoad } from './foreign-load.ts';

const idle = { inflight: 0, queued: 0, waitSeconds: 0 };
const prefillSeconds = 0.5;

function report(running: number, waiting: number, atSeconds = 10) {
  return { atSeconds, running, waiting, kvUsage: 0 };
}

test('what the engine counts beyond what was sent from here is others’', () => {
  const foreign = new ForeignLoad();
  foreign.reported(report(6, 0), { inflight: 4, queued: 0, waitSeconds: 0 }, prefillSeconds);
  assert.deepEqual([foreign.inflight, foreign.queued, foreign.waitSeconds(10)], [2, 0, 0]);
});

test('a queue of others is waited for behind our own, and it drains', () => {
  const foreign = new ForeignLoad();
  // Five wait and one of the running is in prefill; two of the six are ours.
  foreign.reported(report(3, 5), { inflight: 2, queued: 2, waitSeconds: 1 }, prefillSeconds);
  assert.deepEqual([foreign.inflight, foreign.queued], [6, 4]);
  assert.equal(foreign.waitSeconds(10), 1 + 4 * prefillSeconds);
  assert.equal(foreign.waitSeconds(11), 4 * prefillSeconds);
  assert.equal(foreign.waitSeconds(14), 0);
});

test('with one router there are no others, whatever waits', () => {
  const foreign = new ForeignLoad();
  foreign.reported(report(3, 5), { inflight: 8, queued: 6, waitSeconds: 3 }, prefillSeconds);
  foreign.sent(0.5, 1.05, 10);
  assert.deepEqual([foreign.inflight, foreign.queued, foreign.waitSeconds(10)], [0, 0, 0]);
});

test('between reports others are taken to send as we do, and the next report corrects it', () => {
  const foreign = new ForeignLoad();
  foreign.reported(report(0, 0), idle, prefillSeconds);
  foreign.sent(0.5, 3, 10);
  foreign.sent(0.5, 3, 10);
  assert.equal(foreign.waitSeconds(11), 2);
  foreign.reported(report(1, 0, 12), idle, prefillSeconds);
  assert.equal(foreign.waitSeconds(12), 0);
});

test('an engine that ceased to report is taken to have nothing of others', () => {
  const foreign = new ForeignLoad();
  foreign.reported(report(9, 9), idle, prefillSeconds);
  assert.equal(foreign.waitSeconds(60), 0);
  assert.deepEqual([foreign.inflight, foreign.queued], [0, 0]);
});
