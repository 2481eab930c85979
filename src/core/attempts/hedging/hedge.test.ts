// A request with two attempts in flight: which one becomes its response, and what happens to the other.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RecordedEffects } from '../../../../test/support/recorded-effects.ts';
import { ManualClock } from '../../base/index.ts';
import {
  AttemptMachine,
  AttemptWatch,
  type ClientPatience,
  defaultRetryPolicy,
  type EngineAttempt,
  endlessPatience,
  Hedging,
} from '../index.ts';

/** A request that has been sent to engine a, and, by default, to engine b too. */
function sent(
  of: { engines?: string[]; hedge?: boolean; patience?: Partial<ClientPatience> } = {},
) {
  const clock = new ManualClock(100);
  const hedging = new Hedging({
    ...{ budgetShare: 1, clock },
    delays: { delaySeconds: () => 0.2, observe: (_, seconds) => observed.push(seconds) },
  });
  const observed: number[] = [];
  const watch = new AttemptWatch(clock, { firstByteSeconds: 5, engineWaitSeconds: 0 });
  const effects = new RecordedEffects(of.engines ?? ['a', 'b', 'c']);
  const machine = new AttemptMachine(
    ...([effects, defaultRetryPolicy, undefined, watch] as const),
    { ...endlessPatience, ...of.patience },
    { hedging, model: 'm' },
  );
  const after = (seconds: number): string => {
    effects.taken();
    clock.advance(seconds);
    hedging.check();
    watch.check();
    return effects.taken();
  };
  machine.admit();
  if (of.hedge !== false) assert.equal(after(0.5), 'pickHedge b, hedge send');
  effects.taken();
  const second = effects.hedge as EngineAttempt;
  return { machine, effects, after, observed, hedging, second };
}

test('a request whose first byte is late is sent to a second engine, once', () => {
  const { machine, after, hedging } = sent({ hedge: false });
  assert.equal(after(0.2), '');
  assert.equal(after(0.1), 'pickHedge b, hedge send');
  assert.equal(after(1), '');
  assert.equal(machine.state, 'sent');
  assert.equal(hedging.waiting, 0);
});

test('without an idle engine it stays where it is', () => {
  const { machine, after } = sent({ hedge: false, engines: ['a'] });
  assert.equal(after(0.3), 'pickHedge nobody');
  assert.equal(machine.state, 'sent');
});

test('if the second engine responds first, the first one is left, and its wait counts as late', () => {
  const { machine, effects, second, observed } = sent();
  assert.equal(machine.responseHead(200, false, second), 'hold');
  assert.equal(effects.taken(), '');
  assert.equal(machine.responseHead(200, true, second), 'pass');
  assert.equal(effects.taken(), 'outrun, abort, attempt cancelled, hedge won');
  assert.deepEqual(observed, [0.5]);
  machine.responseBytes();
  machine.responseEnd(false);
  assert.equal(effects.taken(), 'firstByte, attempt completed, request completed 200, complete');
  assert.equal(effects.attemptsOpen, 0);
});

test('if the first engine responds first, the second one is left, whatever the status', () => {
  for (const status of [200, 400]) {
    const { machine, effects } = sent();
    assert.equal(machine.responseHead(200, false), 'hold');
    assert.equal(machine.responseHead(status, true), 'pass');
    assert.equal(effects.taken(), 'hedge abort, hedge attempt cancelled, hedge lost');
    assert.equal(effects.attemptsOpen, 1);
  }
});

test('a second engine that fails or refuses leaves the first one in flight', () => {
  const broken = sent();
  broken.machine.attemptFailed('reset', broken.second);
  assert.equal(broken.effects.taken(), 'hedge engineSuspected, hedge attempt failed, hedge failed');
  for (const [status, outcome] of [
    [503, 'failed'],
    [400, 'cancelled'],
    [302, 'cancelled'],
  ] as const) {
    const { machine, effects, second } = sent();
    assert.equal(machine.responseHead(status, true, second), 'drop');
    assert.equal(effects.taken(), `hedge abort, hedge attempt ${outcome}, hedge failed`);
    assert.equal(machine.responseHead(200, true), 'pass');
    assert.equal(effects.taken(), '');
  }
});

test('if the first engine fails, the second one goes on alone, and no third is asked', () => {
  const failures: readonly [(machine: AttemptMachine) => unknown, string][] = [
    [(machine) => machine.attemptFailed('connect'), 'engineOut, attempt failed'],
    [(machine) => machine.attemptFailed('reset'), 'engineSuspected, attempt failed'],
    [(machine) => machine.responseHead(503, true), 'abort, attempt failed'],
    [(machine) => machine.timerFired('firstByte'), 'abort, engineSuspected, attempt failed'],
  ];
  for (const [fail, said] of failures) {
    const { machine, effects, second } = sent();
    fail(machine);
    assert.equal(effects.taken(), `${said}, rerouted, hedge won`);
    assert.equal(machine.responseHead(200, true, second), 'pass');
  }
});

test('if both fail, a third engine is asked, unless both broke on the request', () => {
  const busy = sent();
  busy.machine.responseHead(503, true);
  busy.effects.taken();
  busy.machine.responseHead(503, true, busy.second);
  assert.equal(busy.effects.taken(), 'pick c, abort, attempt failed, rerouted, send');
  const poison = sent();
  poison.machine.attemptFailed('reset', poison.second);
  poison.effects.taken();
  poison.machine.attemptFailed('reset');
  assert.match(poison.effects.taken(), /attempt failed, request failed 502, refuse 502$/);
});

test('an engine that failed as the second one is not asked again', () => {
  const { machine, effects, second } = sent();
  machine.responseHead(503, true, second);
  effects.taken();
  machine.responseHead(503, true);
  assert.match(effects.taken(), /^pick c, /);
});

test('whatever ends the request ends both attempts', () => {
  const ends: readonly [(machine: AttemptMachine) => void, RegExp][] = [
    [(machine) => machine.cancel(), /request cancelled 499$/],
    [(machine) => machine.stop(), /refuse stopping$/],
    [(machine) => machine.handedOver(), /attempt completed$/],
  ];
  for (const [end, said] of ends) {
    const { machine, effects, hedging } = sent();
    end(machine);
    const words = effects.taken();
    assert.match(words, /hedge abort, hedge attempt cancelled, hedge cancelled/);
    assert.match(words, said);
    assert.equal(effects.attemptsOpen, 0);
    assert.equal(hedging.waiting, 0);
  }
  const late = sent({ patience: { firstByteSeconds: 2 } });
  assert.match(
    late.after(2),
    /^expired total, abort, attempt cancelled, hedge abort, .* hedge cancelled, .* refuse 504$/,
  );
  assert.equal(late.effects.attemptsOpen, 0);
});

test('a request that an engine broke on, or whose client waits no longer, is not hedged', () => {
  const broken = sent({ hedge: false });
  broken.machine.attemptFailed('reset');
  assert.equal(broken.after(1), '');
  const busy = sent({ hedge: false });
  busy.machine.responseHead(503, true);
  assert.equal(busy.after(1), 'pickHedge c, hedge send');
  const late = sent({ hedge: false, patience: { firstByteSeconds: 1.5 } });
  late.effects.predicted = 1;
  assert.equal(late.after(1), 'pickHedge b, hedge unpick');
});

test('a stream that moves is not hedged', () => {
  const { machine, effects, after } = sent({ hedge: false });
  machine.responseHead(200, true);
  machine.responseBytes();
  effects.continues = 'possible';
  machine.attemptFailed('reset');
  assert.equal(machine.state, 'sent');
  assert.equal(after(1), '');
});
