// Whether an engine is saturated, from its reports and what was sent since.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LoadCounter } from './endpoint-record.ts';
import { defaultSaturationLimits, EngineQueue } from './engine-queue.ts';

/** An engine's queue, with a report at second 0, and the same counts for the router. */
function queued(waiting: number, kvUsage = 0.5) {
  const [queue, load] = [new EngineQueue(), new LoadCounter()];
  const report = (atSeconds: number, waits: number) =>
    queue.reported({ atSeconds, running: 10, waiting: waits, kvUsage }, load);
  report(0, waiting);
  const isSaturated = (predicted?: number, nowSeconds = 1) =>
    queue.isSaturated(load, predicted, nowSeconds, defaultSaturationLimits);
  return { queue, load, report, isSaturated };
}

test('the queue counts what was sent and what has started since the report', () => {
  const { queue, load } = queued(5);
  for (let i = 0; i < 3; i++) load.sent(100, true);
  assert.equal(queue.waiting(load, 1), 8);
  load.prefilled(100, 100, true);
  load.sent(100, false);
  assert.equal(queue.waiting(load, 1), 7, 'a response in one piece does not show its start');
  assert.equal(queue.waiting(load, 31), undefined, 'the report is too old');
});

test('an engine without a report is not saturated, however much was sent there', () => {
  const [queue, load] = [new EngineQueue(), new LoadCounter()];
  for (let i = 0; i < 500; i++) load.sent(1000, true);
  assert.equal(queue.isSaturated(load, undefined, 1, defaultSaturationLimits), false);
});

test('a wait that the policy predicts is enough', () => {
  const { isSaturated } = queued(0);
  assert.equal(isSaturated(1.9), false);
  assert.equal(isSaturated(2), true);
});

test('a few short requests may wait: the next step takes them', () => {
  const { load, report, isSaturated } = queued(7);
  for (let i = 0; i < 7; i++) load.sent(100, true);
  report(1, 7);
  assert.equal(isSaturated(), false);
});

test('requests that wait for memory are enough', () => {
  const { isSaturated } = queued(9, 0.97);
  assert.equal(isSaturated(), true);
  assert.equal(queued(9, 0.9).isSaturated(), false);
});

test('a queue is as long as the engine needs for it: ten requests are much at one per second', () => {
  for (const [perSecond, isFull] of [
    [1, true],
    [10, false],
  ] as const) {
    const { load, report, isSaturated } = queued(10);
    for (let second = 1; second <= 5; second++) {
      for (let i = 0; i < perSecond; i++) {
        load.sent(100, true);
        load.prefilled(100, 100, true);
      }
      report(second, 10);
    }
    assert.equal(isSaturated(undefined, 5), isFull);
  }
});

test('long prompts saturate an engine with fewer requests than short ones', () => {
  const { load, report, isSaturated } = queued(3);
  for (let i = 0; i < 3; i++) load.sent(10_000, true);
  for (let second = 1; second <= 3; second++) {
    load.sent(10_000, true);
    load.prefilled(10_000, 10_000, true);
    report(second, 3);
  }
  assert.equal(isSaturated(undefined, 3), true);
});

test('a burst on an engine whose speed is unknown is held back at 128 requests', () => {
  const { load, isSaturated } = queued(0);
  for (let i = 0; i < 127; i++) load.sent(10, true);
  assert.equal(isSaturated(), false);
  load.sent(10, true);
  assert.equal(isSaturated(), true);
});
