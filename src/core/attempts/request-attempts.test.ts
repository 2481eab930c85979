// Which engines have a request, as it moves among them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RecordedEffects } from '../../../test/support/recorded-effects.ts';
import { ManualClock } from '../base/index.ts';
import { defaultRetryPolicy, Hedging } from './index.ts';
import { RequestAttempts } from './request-attempts.ts';
import { RetryAccount } from './retry-account.ts';

const inTime = { isTooLateFor: () => false };
const tooLate = { isTooLateFor: () => true };

function attemptsOn(...engines: string[]) {
  const effects = new RecordedEffects(engines);
  const observed: number[] = [];
  const hedging = new Hedging({
    ...{ budgetShare: 1, clock: new ManualClock(100) },
    delays: { delaySeconds: () => 1, observe: (_, seconds) => observed.push(seconds) },
  });
  const retries = new RetryAccount(defaultRetryPolicy, undefined);
  const attempts = new RequestAttempts(
    { hedge: () => false },
    {
      ...{ effects, policy: defaultRetryPolicy, retries, watch: undefined },
      hedges: { hedging, model: 'm' },
    },
  );
  /** Sends it to the first engine. */
  const sent = () => {
    attempts.pick();
    attempts.send(true);
    effects.taken();
    return attempts;
  };
  return { attempts, effects, retries, observed, hedging, sent };
}

test('an attempt is picked, then sent, and stays the current one until the next is sent', () => {
  const { attempts, effects } = attemptsOn('a', 'b');
  assert.equal(attempts.flight, undefined);
  assert.equal(attempts.pick()?.url, 'a');
  assert.equal(attempts.flight, undefined);
  attempts.send(false);
  assert.equal(attempts.current.url, 'a');
  assert.equal(attempts.pickElsewhere('reroute', inTime), true);
  assert.equal(attempts.current.url, 'a');
  attempts.abandon('failed');
  attempts.rerouted();
  attempts.send(false);
  assert.equal(attempts.current.url, 'b');
  assert.equal(effects.taken(), 'pick a, send, pick b, abort, attempt failed, rerouted, send');
});

test('an engine that would respond too late is not picked elsewhere, and uses up no retry', () => {
  const { effects, retries, sent } = attemptsOn('a', 'b');
  const attempts = sent();
  assert.equal(attempts.pickElsewhere('reroute', tooLate), false);
  assert.equal(effects.taken(), 'pick b, unpick');
  for (let i = 0; i < defaultRetryPolicy.reroutesMax; i++) {
    assert.equal(retries.mayRetry('reroute'), true);
    assert.equal(attempts.pickElsewhere('reroute', inTime), true);
  }
  assert.equal(retries.mayRetry('reroute'), false);
});

test('a request that may not be retried is not offered to the policy', () => {
  const { effects, retries, sent } = attemptsOn('a', 'b', 'c', 'd');
  const attempts = sent();
  for (let i = 0; i < defaultRetryPolicy.reroutesMax; i++) retries.retried('reroute');
  assert.equal(attempts.pickElsewhere('reroute', inTime), false);
  assert.equal(effects.taken(), '');
  assert.equal(attempts.pickElsewhere('substitute', inTime), true);
});

test('a failure says of its engine what the rule does', () => {
  const { effects, sent } = attemptsOn('a');
  const attempts = sent();
  const { connect, reset, syntax } = defaultRetryPolicy.failures;
  for (const rule of [connect, reset, syntax]) attempts.judge(rule);
  assert.equal(effects.taken(), 'engineOut, engineSuspected');
});

test('a hedge is sent once, to an engine that does not have the request and is not too late', () => {
  const late = attemptsOn('a', 'b');
  assert.equal(late.sent().sendHedge(tooLate), false);
  assert.equal(late.effects.taken(), 'pickHedge b, hedge unpick');
  assert.equal(late.attempts.hedgeFlight, undefined);

  const { effects, sent } = attemptsOn('a', 'b', 'c');
  const attempts = sent();
  assert.equal(attempts.sendHedge(inTime), true);
  assert.equal(attempts.hedgeFlight?.attempt.url, 'b');
  assert.equal(attempts.current.url, 'a');
  attempts.dropHedge(true, 'lost');
  assert.equal(attempts.hedgeFlight, undefined);
  effects.taken();
  assert.equal(attempts.sendHedge(inTime), false);
  assert.equal(effects.taken(), '');
});

test('a request that has broken an engine is not hedged', () => {
  const { effects, sent } = attemptsOn('a', 'b');
  const attempts = sent();
  attempts.charge();
  assert.equal(attempts.sendHedge(inTime), false);
  assert.equal(effects.taken(), '');
});

test('inputs of the hedge are told from those of the attempt in flight', () => {
  const { effects, sent } = attemptsOn('a', 'b');
  const attempts = sent();
  assert.equal(attempts.isFromHedge(undefined), false);
  attempts.sendHedge(inTime);
  assert.equal(attempts.isFromHedge(effects.hedge), true);
  assert.equal(attempts.isFromHedge(attempts.current), false);
  assert.equal(attempts.isFromHedge(undefined), false);
});

test('a hedge wins with the first of its body, and takes the place of the current attempt', () => {
  const { effects, sent, observed } = attemptsOn('a', 'b');
  const attempts = sent();
  attempts.sendHedge(inTime);
  effects.taken();
  assert.equal(attempts.hedgeHead(200, false), 'hold');
  assert.equal(attempts.current.url, 'a');
  assert.equal(attempts.hedgeHead(200, true), 'pass');
  assert.equal(attempts.current.url, 'b');
  assert.equal(attempts.hedgeFlight, undefined);
  assert.equal(effects.taken(), 'outrun, abort, attempt cancelled, hedge won');
  assert.equal(observed.length, 1);
});

test('a hedge that refuses or breaks leaves the current attempt alone, and is not tried again', () => {
  const isTried = (fails: (attempts: RequestAttempts) => unknown, expected: string): void => {
    const { effects, retries, sent } = attemptsOn('a', 'b');
    const attempts = sent();
    attempts.sendHedge(inTime);
    effects.taken();
    fails(attempts);
    assert.equal(effects.taken(), expected);
    assert.equal(attempts.current.url, 'a');
    assert.equal(attempts.hedgeFlight, undefined);
    assert.deepEqual([...(retries.tried ?? [])], ['b']);
  };
  isTried(
    (attempts) => assert.equal(attempts.hedgeHead(503, true), 'drop'),
    'hedge abort, hedge attempt failed, hedge failed',
  );
  isTried(
    (attempts) => assert.equal(attempts.hedgeHead(404, false), 'drop'),
    'hedge abort, hedge attempt cancelled, hedge failed',
  );
  isTried(
    (attempts) => attempts.loseHedge(defaultRetryPolicy.failures.reset),
    'hedge engineSuspected, hedge attempt failed, hedge failed',
  );
});

test('when the current attempt fails, its hedge goes on alone', () => {
  const { effects, retries, sent } = attemptsOn('a', 'b');
  const attempts = sent();
  assert.equal(attempts.leaveToHedge(), false);
  attempts.sendHedge(inTime);
  effects.taken();
  assert.equal(attempts.leaveToHedge(), true);
  assert.equal(attempts.current.url, 'b');
  assert.equal(effects.taken(), 'rerouted, hedge won');
  assert.deepEqual([...(retries.tried ?? [])], ['a']);
});
