// Deadlines of a request, on a clock that the test moves.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RecordedEffects } from '../../../test/support/recorded-effects.ts';
import { ManualClock } from '../base/index.ts';
import {
  AttemptMachine,
  AttemptWatch,
  type ClientPatience,
  type DeadlineSettings,
  defaultRetryPolicy,
  endlessPatience,
} from './index.ts';

/** A request and its watch; `after` moves time in ticks of a quarter of a second. */
function watched(
  settings: Partial<DeadlineSettings> = {},
  of: { patience?: Partial<ClientPatience>; predicted?: number; engines?: string[] } = {},
) {
  const clock = new ManualClock(100);
  const watch = new AttemptWatch(clock, { engineWaitSeconds: 0, ...settings });
  const effects = new RecordedEffects(of.engines ?? ['a', 'b', 'c']);
  effects.predicted = of.predicted;
  const patience = { ...endlessPatience, ...of.patience };
  const machine = new AttemptMachine(effects, defaultRetryPolicy, undefined, watch, patience);
  const after = (seconds: number): string => {
    effects.taken();
    const endSeconds = clock.nowSeconds() + seconds;
    while (clock.nowSeconds() < endSeconds) {
      clock.advanceTo(Math.min(endSeconds, clock.nowSeconds() + 0.25));
      watch.check();
    }
    return effects.taken();
  };
  return { machine, effects, watch, after };
}

const moves = 'expired firstByte, abort, engineSuspected, attempt failed, pick b, rerouted, send';

test('a request whose first byte is late moves to another engine, and the first one is suspected', () => {
  const { machine, after } = watched({ firstByteSeconds: 2 });
  machine.admit();
  assert.equal(after(2), '');
  assert.equal(after(0.25), moves);
  assert.equal(machine.state, 'sent');
});

test('the head of a response does not stop the deadline of its first byte', () => {
  const { machine, after } = watched({ firstByteSeconds: 2 });
  machine.admit();
  after(1);
  assert.equal(machine.responseHead(200, false), 'hold');
  assert.equal(after(1), '');
  assert.equal(after(0.25), moves);
});

test('the first byte has eight times what the policy predicts, at least 15 s, and 600 s without a prediction', () => {
  for (const [predicted, seconds] of [
    [0.1, 15],
    [5, 40],
    [60, 480],
    [undefined, 600],
  ] as const) {
    const { machine, after } = watched({}, predicted === undefined ? {} : { predicted });
    machine.admit();
    assert.equal(after(seconds), '', String(predicted));
    assert.match(after(0.25), /^expired firstByte/, String(predicted));
  }
});

test('each attempt has its own deadline', () => {
  const { machine, after } = watched({ firstByteSeconds: 2 });
  machine.admit();
  assert.match(after(2.25), /send$/);
  assert.equal(after(2), '');
  // Two engines did not respond in time: the request may be the cause.
  assert.match(after(0.25), /request failed 504, refuse 504$/);
  assert.equal(machine.state, 'ended');
});

test('a stream without data for too long is broken off; data starts the time again', () => {
  const { machine, after } = watched({ streamIdleSeconds: 3 });
  machine.admit();
  machine.responseHead(200, true);
  machine.responseBytes();
  for (let i = 0; i < 5; i++) {
    assert.equal(after(2.5).replace('firstByte', ''), '');
    machine.responseBytes();
  }
  // The check that sees the last data is up to a tick later.
  assert.equal(after(3.25), '');
  assert.equal(
    after(0.25),
    'expired streamIdle, abort, engineSuspected, attempt failed, request failed 200, breakOff',
  );
});

test('a client that does not read is not an engine that does not write', () => {
  const { machine, after } = watched({ streamIdleSeconds: 3 });
  machine.admit();
  machine.responseHead(200, true);
  machine.responseBytes();
  machine.clientSlow(true);
  assert.equal(after(100), '');
  machine.clientSlow(false);
  assert.equal(after(3), '');
  assert.match(after(0.5), /expired streamIdle/);
});

test('the time of a request ends its attempt, which is no fault of the engine', () => {
  const { machine, after, watch } = watched({ totalSeconds: 5 });
  machine.admit();
  assert.equal(after(4.75), '');
  assert.equal(
    after(0.25),
    'expired total, abort, attempt cancelled, request failed 504, refuse 504',
  );
  assert.equal(watch.size, 0);
});

test('the time of a request ends a stream too', () => {
  const { machine, after } = watched({ totalSeconds: 5 });
  machine.admit();
  machine.responseHead(200, true);
  machine.responseBytes();
  after(4);
  machine.responseBytes();
  assert.equal(after(1), 'expired total, abort, attempt cancelled, request failed 200, breakOff');
});

test('a request that waits to be admitted has the same time', () => {
  const { machine, after } = watched({ totalSeconds: 5 });
  assert.equal(after(5), 'expired total, request failed 504, refuse 504');
  machine.admit();
  assert.equal(machine.state, 'ended');
});

test('the time of a client counts if it is shorter, and not if it is longer', () => {
  const shorter = watched({ totalSeconds: 50 }, { patience: { totalSeconds: 2 } });
  shorter.machine.admit();
  assert.match(shorter.after(2), /expired total/);
  const longer = watched({ totalSeconds: 2 }, { patience: { totalSeconds: 50 } });
  longer.machine.admit();
  assert.match(longer.after(2), /expired total/);
});

test('what a client waits for a first byte does not bound a stream that has begun', () => {
  const { machine, after } = watched({}, { patience: { firstByteSeconds: 2 } });
  machine.admit();
  machine.responseHead(200, true);
  machine.responseBytes();
  assert.equal(after(10), '');
  const silent = watched({}, { patience: { firstByteSeconds: 2 } });
  silent.machine.admit();
  assert.match(silent.after(2), /expired total, abort, attempt cancelled/);
});

test('no attempt starts that cannot end in time', () => {
  const first = watched({}, { patience: { totalSeconds: 4 }, predicted: 6 });
  first.machine.admit();
  assert.equal(
    first.effects.taken(),
    'pick a, expired total, unpick, request failed 504, refuse 504',
  );
  const second = watched({}, { patience: { totalSeconds: 4 }, predicted: 3 });
  second.machine.admit();
  second.after(2);
  second.machine.attemptFailed('reset');
  assert.equal(
    second.effects.taken(),
    'engineSuspected, attempt failed, pick b, unpick, request failed 502, refuse 502',
  );
});

test('the watch knows the requests between arrival and end', () => {
  const { machine, watch } = watched();
  assert.equal(watch.size, 1);
  machine.admit();
  machine.responseHead(200, true);
  assert.equal(watch.size, 1);
  machine.responseEnd(false);
  assert.equal(watch.size, 0);
});
