// Engines that answer health checks while no token moves, as their requests see it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RecordedEffects } from '../../../test/support/recorded-effects.ts';
import { ManualClock } from '../base/index.ts';
import { AttemptMachine, AttemptWatch, type DeadlineSettings } from './index.ts';

/** A router's requests, which go to engine a first. */
function fleet(settings: Partial<DeadlineSettings> = {}, engines = ['a', 'b', 'c']) {
  const clock = new ManualClock(50);
  const wedged: string[] = [];
  const watch = new AttemptWatch(clock, settings, (url, seconds) =>
    wedged.push(`${url} after ${seconds} s`),
  );
  const request = (prefillTokens = 0) => {
    const effects = new RecordedEffects(engines);
    effects.tokens = prefillTokens;
    const machine = new AttemptMachine(effects, undefined, undefined, watch);
    machine.admit();
    effects.taken();
    return { machine, effects };
  };
  const stream = () => {
    const { machine, effects } = request();
    machine.responseHead(200, true);
    machine.responseBytes();
    effects.taken();
    return { machine, effects };
  };
  /** Lets time pass in ticks; `each` happens before each of them. */
  const after = (seconds: number, each = () => {}): string[] => {
    for (let left = seconds; left > 0; left -= 0.25) {
      each();
      clock.advance(0.25);
      watch.check();
    }
    return wedged.splice(0);
  };
  return { request, stream, after };
}

test('an engine on which no stream moves for 10 s is wedged: its requests move, its streams end', () => {
  const { request, stream, after } = fleet();
  const streams = [stream(), stream()];
  after(0.25);
  const waiting = request();
  assert.deepEqual(after(10), []);
  assert.deepEqual(after(0.25), ['a after 10.25 s']);
  assert.equal(
    waiting.effects.taken(),
    'pick b, expired engineStall, abort, attempt failed, rerouted, send',
  );
  for (const { effects } of streams) {
    assert.equal(
      effects.taken(),
      'expired engineStall, abort, engineSuspected, attempt failed, request failed 200, breakOff',
    );
  }
  assert.deepEqual(after(30), []);
});

test('one stream that moves shows that the engine works', () => {
  const { stream, after } = fleet();
  const [first] = [stream(), stream(), stream()];
  assert.deepEqual(
    after(40, () => first?.machine.responseBytes()),
    [],
  );
});

test('one silent stream is no evidence: its own deadline decides', () => {
  const { stream, request, after } = fleet();
  const { effects } = stream();
  request();
  assert.deepEqual(after(60), []);
  after(0.5);
  assert.match(effects.taken(), /^expired streamIdle/);
});

test('a first byte counts as progress', () => {
  const { stream, after } = fleet();
  stream();
  stream();
  for (let i = 0; i < 10; i++) {
    assert.deepEqual(after(9), []);
    stream();
  }
});

test('the prefill of a huge prompt may stall the streams for as long as it takes', () => {
  const { request, stream, after } = fleet({ streamIdleSeconds: 300 });
  stream();
  stream();
  const huge = request(131_072);
  assert.deepEqual(after(65), []);
  assert.equal(huge.machine.state, 'sent');
  assert.equal(after(1).length, 1);
});

test('a huge prompt that came after the silence began is no excuse', () => {
  const { request, stream, after } = fleet();
  stream();
  stream();
  after(2);
  request(131_072);
  assert.equal(after(9).length, 1);
});

test('streams whose clients do not read say nothing', () => {
  const { stream, after } = fleet();
  for (const { machine } of [stream(), stream(), stream()]) machine.clientSlow(true);
  assert.deepEqual(after(120), []);
});

test('an engine that pauses for long and recovers gets more time from then on', () => {
  const { stream, after } = fleet({ streamIdleSeconds: 300 });
  const streams = [stream(), stream()];
  assert.deepEqual(after(9), []);
  for (const { machine } of streams) machine.responseBytes();
  assert.deepEqual(after(20), []);
  assert.equal(after(10).length, 1);
});

test('a request that no other engine can take stays where it is', () => {
  const { request, stream, after } = fleet({}, ['a']);
  stream();
  stream();
  const waiting = request();
  assert.equal(after(10.5).length, 1);
  assert.equal(waiting.machine.state, 'sent');
  assert.equal(waiting.effects.taken(), 'pick nobody');
});
