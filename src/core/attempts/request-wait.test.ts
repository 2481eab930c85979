// Requests without an attempt that wait: for an engine, or for what is known of those that they broke.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RecordedEffects } from '../../../test/support/recorded-effects.ts';
import { ManualClock } from '../base/index.ts';
import {
  AttemptMachine,
  AttemptWatch,
  type DeadlineSettings,
  defaultRetryPolicy,
  endlessPatience,
} from './index.ts';

/** A router's watch; `wait` moves time in ticks of a quarter of a second. */
function router(settings: Partial<DeadlineSettings> = {}) {
  const clock = new ManualClock(100);
  const watch = new AttemptWatch(clock, settings);
  const wait = (seconds: number): void => {
    const endSeconds = clock.nowSeconds() + seconds;
    while (clock.nowSeconds() < endSeconds) {
      clock.advanceTo(Math.min(endSeconds, clock.nowSeconds() + 0.25));
      watch.check();
    }
  };
  /** A request; its engines are picked in this order, and may change. */
  const request = (engines: string[], withoutEngine?: number) => {
    const effects = new RecordedEffects(engines);
    effects.withoutEngine = withoutEngine;
    const policy = defaultRetryPolicy;
    const machine = new AttemptMachine(effects, policy, undefined, watch, endlessPatience);
    machine.admit();
    return { machine, effects, taken: () => effects.taken(), engines };
  };
  return { watch, wait, request };
}

test('a request that finds no engine waits for one that was there a moment ago', () => {
  const { watch, wait, request } = router();
  const { machine, effects, taken, engines } = request([], 1.5);
  assert.equal(taken(), 'pick nobody');
  assert.deepEqual([machine.state, watch.waiting], ['waiting', 1]);
  effects.withoutEngine = 3;
  wait(1);
  assert.equal(taken(), '');
  effects.withoutEngine = undefined;
  engines.push('a');
  wait(0.25);
  assert.equal(taken(), 'pick a, send');
  assert.deepEqual([machine.state, watch.waiting], ['sent', 0]);
});

test('it fails once all engines have been gone for five seconds, and at once if there never were any', () => {
  const { watch, wait, request } = router();
  const { effects, taken } = request([], 4.9);
  effects.withoutEngine = 5;
  wait(0.25);
  assert.equal(taken(), 'pick nobody, request failed undefined, refuse noEngine');
  const never = request([], Number.POSITIVE_INFINITY);
  assert.equal(never.taken(), 'pick nobody, request failed undefined, refuse noEngine');
  const off = router({ engineWaitSeconds: 0 }).request([], 0);
  assert.match(off.taken(), /refuse noEngine$/);
  assert.equal(watch.waiting, 0);
});

test('a request whose only engine dies waits for the next process, which may be the same engine', () => {
  const only = router();
  const one = only.request(['a']);
  one.taken();
  one.machine.attemptFailed('reset');
  assert.equal(one.taken(), 'engineSuspected, attempt failed, pick nobody');
  assert.equal(one.machine.state, 'waiting');
  // Its health check fails, then it is back.
  one.effects.withoutEngine = 0.1;
  only.wait(0.25);
  assert.equal(one.taken(), '');
  one.effects.withoutEngine = undefined;
  only.wait(0.25);
  assert.equal(one.taken(), 'pick a, rerouted, send');
  // An engine that fails it and stays is not asked again: half a second decides.
  const staying = only.request(['b']);
  staying.taken();
  staying.machine.attemptFailed('reset');
  staying.taken();
  only.wait(0.25);
  assert.equal(staying.taken(), '');
  only.wait(0.25);
  assert.equal(staying.taken(), 'request failed 502, refuse 502');
});

test('a stream that no engine can continue waits as well, and ends with an error if none comes', () => {
  for (const comes of [true, false]) {
    const { wait, request } = router();
    const { machine, effects, taken, engines } = request(['a']);
    effects.continues = 'possible';
    machine.responseHead(200, true);
    machine.responseBytes();
    taken();
    machine.attemptFailed('reset');
    effects.withoutEngine = 0.1;
    wait(0.25);
    taken();
    if (comes) engines.unshift('b');
    effects.withoutEngine = comes ? undefined : 5;
    wait(0.25);
    const ends = 'not continued: engines, request failed 200, breakOff';
    assert.equal(taken(), comes ? 'pick b, rerouted, send' : ends);
  }
});

test('a client that leaves, the end of its time and a router that stops end the wait', () => {
  const { watch, wait, request } = router({ totalSeconds: 2 });
  const left = request([], 0);
  left.machine.cancel();
  assert.equal(left.taken(), 'pick nobody, request cancelled 499');
  const stopped = request([], 0);
  stopped.machine.stop();
  assert.equal(stopped.taken(), 'pick nobody, request failed 503, refuse stopping');
  const late = request([], 0);
  wait(2);
  assert.equal(late.taken(), 'pick nobody, expired total, request failed 504, refuse 504');
  assert.equal(watch.waiting, 0);
});

test('at most 256 requests wait', () => {
  const { watch, request } = router();
  for (let i = 0; i < 256; i++) assert.equal(request([], 0).machine.state, 'waiting');
  assert.equal(request([], 0).machine.state, 'ended');
  assert.equal(watch.waiting, 256);
});

/** A request that two engines broke on, one after the other. */
function suspected(of: ReturnType<typeof router>) {
  const one = of.request(['a', 'b', 'c']);
  one.machine.attemptFailed('reset');
  one.machine.attemptFailed('reset');
  one.taken();
  return one;
}

test('a request that two engines broke on fails after two seconds, and no third one gets it', () => {
  const of = router();
  const { machine, taken } = suspected(of);
  assert.equal(machine.state, 'waiting');
  of.wait(1.75);
  assert.equal(taken(), '');
  of.wait(0.25);
  assert.equal(taken(), 'request failed 502, refuse 502');
});

test('it goes on if one of them fails a request that it got half a second later', () => {
  const of = router();
  const { machine, taken } = suspected(of);
  of.wait(0.75);
  const other = of.request(['b', 'd']);
  other.machine.attemptFailed('reset');
  of.wait(0.25);
  assert.equal(taken(), 'pick c, rerouted, send');
  // The other one still counts: the next engine that breaks is the last.
  machine.attemptFailed('reset');
  of.wait(2);
  assert.match(taken(), /request failed 502, refuse 502$/);
});

test('failures of requests that were there with it or came at once are its own doing', () => {
  const of = router();
  const before = of.request(['a', 'd']);
  const { taken } = suspected(of);
  of.wait(0.25);
  const atOnce = of.request(['a', 'd']);
  of.wait(0.75);
  before.machine.attemptFailed('reset');
  atOnce.machine.attemptFailed('reset');
  of.watch.heard('a', 'broke', 0);
  of.wait(0.75);
  assert.equal(taken(), '');
  of.wait(0.25);
  assert.equal(taken(), 'request failed 502, refuse 502');
});
