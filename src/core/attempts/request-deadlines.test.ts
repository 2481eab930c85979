// Which deadline of a request passes first, and when none does.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RecordedEffects } from '../../../test/support/recorded-effects.ts';
import { ManualClock } from '../base/index.ts';
import {
  type AttemptState,
  AttemptWatch,
  type ClientPatience,
  type DeadlineSettings,
  defaultRetryPolicy,
  endlessPatience,
} from './index.ts';
import { RequestAttempts } from './request-attempts.ts';
import { RequestDeadlines } from './request-deadlines.ts';
import { RetryAccount } from './retry-account.ts';

/** A request in a state that the test sets, and the deadlines that have passed, with the time waited. */
function watched(
  settings: Partial<DeadlineSettings>,
  patience: Partial<ClientPatience> = {},
  url = 'a',
) {
  const clock = new ManualClock(100);
  const watch = new AttemptWatch(clock, settings);
  const effects = new RecordedEffects([url]);
  const passed: string[] = [];
  const request = {
    state: 'arrived' as AttemptState,
    deadlinePassed: (deadline: string, seconds: number) => passed.push(`${deadline} ${seconds}`),
    waited: () => passed.push('waited'),
    hedge: () => false,
  };
  const attempts = new RequestAttempts(request, {
    ...{ effects, policy: defaultRetryPolicy, watch, hedges: undefined },
    retries: new RetryAccount(defaultRetryPolicy, undefined),
  });
  const deadlines = new RequestDeadlines(request, attempts, watch, {
    ...endlessPatience,
    ...patience,
  });
  const after = (seconds: number): string[] => {
    clock.advance(seconds);
    watch.check();
    return passed.splice(0);
  };
  const send = (): void => {
    attempts.pick();
    attempts.send(false);
    request.state = 'sent';
  };
  return { request, attempts, deadlines, effects, after, send, watch };
}

test('before it is sent, only the end of its time counts', () => {
  const { after, request } = watched({ totalSeconds: 5, firstByteSeconds: 1 });
  assert.deepEqual(after(4.5), []);
  request.state = 'admitted';
  assert.deepEqual(after(0.5), ['total 0']);
  request.state = 'ended';
  assert.deepEqual(after(1), []);
});

test('the time for the first byte begins with the attempt, and the end of the request comes before it', () => {
  const { after, send } = watched({ totalSeconds: 5, firstByteSeconds: 1 });
  after(3);
  send();
  assert.deepEqual(after(1), []);
  assert.deepEqual(after(0.5), ['firstByte 1.5']);
  assert.deepEqual(after(0.5), ['total 0']);
});

test('the patience of its client counts until the response has begun', () => {
  const patient = watched({ streamIdleSeconds: 60 }, { firstByteSeconds: 2 });
  patient.send();
  patient.deadlines.began();
  patient.request.state = 'firstByte';
  assert.deepEqual(patient.after(3), []);
  const waiting = watched({}, { firstByteSeconds: 2 });
  waiting.send();
  assert.deepEqual(waiting.after(3), ['total 0']);
});

test('an engine is too late if it is expected to respond after the end', () => {
  const { effects, attempts, deadlines, after } = watched({ totalSeconds: 5 });
  const attempt = attempts.pick();
  assert.ok(attempt);
  effects.predicted = 4.5;
  assert.equal(deadlines.isTooLateFor(attempt), false);
  after(1);
  assert.equal(deadlines.isTooLateFor(attempt), true);
  effects.predicted = undefined;
  assert.equal(deadlines.isTooLateFor(attempt), false);
  assert.equal(watched({}).deadlines.isTooLateFor(attempt), false, 'no end, never too late');
});

test('a stream is idle from its last data on, and not while its client is slow', () => {
  const { after, send, deadlines, request } = watched({
    ...{ streamIdleSeconds: 2, engineStallSeconds: 100 },
  });
  send();
  deadlines.began();
  request.state = 'streaming';
  assert.deepEqual(after(1), []);
  assert.deepEqual(after(2), [], 'two seconds, and not more');
  deadlines.hasData = true;
  assert.deepEqual(after(1), []);
  deadlines.isClientSlow = true;
  assert.deepEqual(after(50), []);
  deadlines.isClientSlow = false;
  assert.deepEqual(after(2.5), ['streamIdle 2.5']);
});

test('an engine of which no stream moves is reported in place of the idle stream', () => {
  const { after, send, deadlines, request, watch } = watched({
    ...{ streamIdleSeconds: 1, engineStallSeconds: 3 },
  });
  send();
  deadlines.began();
  request.state = 'streaming';
  // One silent stream says nothing about its engine.
  const other = { previous: undefined, next: undefined, check: () => undefined };
  watch.add({ ...other, look: () => watch.engine('a').streams(false, false) });
  assert.deepEqual(after(0.5), []);
  assert.deepEqual(after(1.5), ['streamIdle 1.5']);
  assert.deepEqual(after(2), ['engineStall 3.5']);
});

test('a request that is over is no longer watched', () => {
  const { watch, deadlines, after } = watched({ totalSeconds: 1 });
  assert.equal(watch.size, 1);
  deadlines.stop();
  assert.equal(watch.size, 0);
  assert.deepEqual(after(2), []);
});
