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

test('a single waiting request is a queue, whose rate is learned', () => {
  for (const [before, now, isFull] of [
    [1, 1, true],
    [0, 1, false],
    [1, 0, false],
  ] as const) {
    const { load, report, isSaturated } = queued(before);
    load.sent(20_000, true);
    report(1, now);
    // None has started in a second, so a long prompt that waits is much.
    load.sent(20_000, true);
    assert.equal(isSaturated(), isFull);
  }
});

test('requests that start while others wait make up the rate, of which the last interval counts half', () => {
  const { load, report, isSaturated } = queued(1);
  /** So many start in an interval of 2 s. */
  const starts = (count: number, until: number, waiting = 1) => {
    for (let i = 0; i < count; i++) {
      load.sent(0, true);
      load.prefilled(0, 0, true);
    }
    report(until, waiting);
  };
  /** The fewest waiting requests that saturate the engine: those of two seconds. */
  const fewest = (at: number) => {
    for (let waiting = 8; waiting < 200; waiting++) {
      report(at, waiting);
      if (isSaturated(undefined, at)) return waiting;
    }
    return undefined;
  };
  assert.equal(fewest(0), 128, 'no rate is known');
  starts(20, 2);
  assert.equal(fewest(2), 20);
  starts(40, 4);
  assert.equal(fewest(4), 30);
  // What starts without a queue, before or after, only shows what came.
  starts(200, 6, 0);
  starts(200, 8);
  assert.equal(fewest(8), 30);
});

test('an engine is idle without streams in prefill, waiting requests, and a full cache', () => {
  const [unknown, load] = [new EngineQueue(), new LoadCounter()];
  assert.equal(unknown.isIdle(load, 0), true, 'nothing is reported');
  load.sent(100, false);
  assert.equal(unknown.isIdle(load, 0), true, 'a response in one piece does not show its prefill');
  load.sent(100, true);
  assert.equal(unknown.isIdle(load, 0), false);
  const isIdle = (waiting: number, kvUsage: number) => {
    const { queue, load: own } = queued(waiting, kvUsage);
    return queue.isIdle(own, 1);
  };
  assert.deepEqual([isIdle(0, 0.89), isIdle(0, 0.9), isIdle(1, 0.5)], [true, false, false]);
});

test('a report counts for thirty seconds, from its own time', () => {
  const [queue, load] = [new EngineQueue(), new LoadCounter()];
  queue.reported({ atSeconds: 10, running: 1, waiting: 200, kvUsage: 0.5 }, load);
  assert.deepEqual([queue.waiting(load, 40), queue.waiting(load, 40.1)], [200, undefined]);
  assert.equal(queue.isSaturated(load, undefined, 40, defaultSaturationLimits), true);
  assert.equal(queue.isSaturated(load, undefined, 40.1, defaultSaturationLimits), false);
  queue.reported(undefined, load);
  assert.equal(queue.waiting(load, 10), undefined, 'the engine reports no more');
});

test('more starts than waited leave an empty queue', () => {
  const [queue, load] = [new EngineQueue(), new LoadCounter()];
  for (let i = 0; i < 3; i++) load.sent(100, true);
  queue.reported({ atSeconds: 0, running: 3, waiting: 1, kvUsage: 0.99 }, load);
  for (let i = 0; i < 3; i++) load.prefilled(100, 100, true);
  assert.equal(queue.waiting(load, 1), 0);
  assert.equal(queue.isSaturated(load, undefined, 1, defaultSaturationLimits), false);
});

test('eight requests, or 16,384 tokens of prefill, that wait for memory saturate an engine', () => {
  const isSaturated = (waiting: number, tokens: number, kvUsage = 0.95) => {
    const one = queued(waiting, kvUsage);
    one.load.sent(tokens, false);
    return one.isSaturated();
  };
  assert.deepEqual([isSaturated(7, 0), isSaturated(8, 0)], [false, true]);
  assert.deepEqual([isSaturated(1, 16_383), isSaturated(1, 16_384)], [false, true]);
  assert.equal(isSaturated(8, 0, 0.94), false);
});
