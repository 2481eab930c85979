// The machine as a table: the result of each input in each state.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RecordedEffects } from '../../../test/support/recorded-effects.ts';
import { ManualClock } from '../base/index.ts';
import {
  AttemptMachine,
  type AttemptState,
  AttemptWatch,
  defaultRetryPolicy,
  RetryBudget,
  unrepeatable,
} from './index.ts';

type Input = (machine: AttemptMachine) => unknown;

const inputs = {
  admit: (machine) => machine.admit(),
  proceed: (machine) => machine.proceed(),
  'head alone': (machine) => machine.responseHead(200, false),
  'head 200': (machine) => machine.responseHead(200, true),
  'head 400': (machine) => machine.responseHead(400, true),
  'head 500': (machine) => machine.responseHead(500, true),
  'head 429': (machine) => machine.responseHead(429, true),
  'head 503': (machine) => machine.responseHead(503, true),
  bytes: (machine) => machine.responseBytes(),
  end: (machine) => machine.responseEnd(false),
  'end with error': (machine) => machine.responseEnd(true),
  'connect failed': (machine) => machine.attemptFailed('connect'),
  reset: (machine) => machine.attemptFailed('reset'),
  syntax: (machine) => machine.attemptFailed('syntax'),
  truncated: (machine) => machine.attemptFailed('truncated'),
  'first byte timer': (machine) => machine.timerFired('firstByte'),
  'idle timer': (machine) => machine.timerFired('streamIdle'),
  'handed over': (machine) => machine.handedOver(),
  cancel: (machine) => machine.cancel(),
  reject: (machine) => machine.reject(429),
  stop: (machine) => machine.stop(),
} as const satisfies Readonly<Record<string, Input>>;
type InputName = keyof typeof inputs;

const ways: Readonly<Record<Exclude<AttemptState, 'picked' | 'waiting'>, readonly InputName[]>> = {
  arrived: [],
  admitted: ['admit', 'handed over'],
  sent: ['admit'],
  firstByte: ['admit', 'head 200'],
  streaming: ['admit', 'head 200', 'bytes'],
  ended: ['admit', 'head 200', 'bytes', 'end'],
};

const isElsewhere = 'pick b, abort, attempt failed, rerouted, send → sent, drop';
const goesOn = 'pick b, rerouted, send → sent';
const isCancelled = 'abort, attempt cancelled, request cancelled 499 → ended';
const isBrokenOff = 'attempt failed, request failed 200, breakOff → ended';
const isStopped = 'request failed 503, refuse stopping → ended';
const isCutOff = `engineSuspected, ${isBrokenOff}`;
const timesOut = `abort, ${isCutOff}`;
const isLost = (status: number) => `request failed ${status}, refuse ${status} → ended`;

/** By state, the result of each input: effects → state, and its return value. Other inputs do nothing. */
const table: Readonly<
  Record<keyof typeof ways, { readonly [name in InputName]?: string | undefined }>
> = {
  arrived: {
    admit: 'pick a, send → sent',
    cancel: 'request cancelled 499 → ended',
    reject: 'request failed 429, refuse rejected → ended',
    stop: isStopped,
  },
  admitted: {
    proceed: 'pick a, send → sent',
    'connect failed': isLost(503),
    reset: isLost(502),
    syntax: isLost(502),
    truncated: isLost(502),
    cancel: 'request cancelled 499 → ended',
    stop: isStopped,
  },
  sent: {
    'head alone': ' → sent, hold',
    'head 200': ' → firstByte, pass',
    'head 400': ' → firstByte, pass',
    'head 429': isElsewhere,
    'head 500': isElsewhere,
    'head 503': isElsewhere,
    'connect failed': `engineOut, attempt failed, ${goesOn}`,
    reset: `engineSuspected, attempt failed, ${goesOn}`,
    syntax: `attempt failed, ${goesOn}`,
    truncated: `engineSuspected, attempt failed, ${goesOn}`,
    'first byte timer': `abort, engineSuspected, attempt failed, ${goesOn}`,
    'idle timer': `abort, engineSuspected, attempt failed, ${goesOn}`,
    'handed over': 'firstByte, attempt completed → admitted',
    cancel: isCancelled,
    stop: `abort, attempt cancelled, ${isStopped}`,
  },
  firstByte: {
    bytes: 'firstByte → streaming, true',
    end: 'attempt completed, request completed 200, complete → ended',
    'end with error': 'attempt failed, request failed 200, complete → ended',
    'connect failed': `engineOut, ${isBrokenOff}`,
    reset: isCutOff,
    syntax: isBrokenOff,
    truncated: isCutOff,
    'first byte timer': timesOut,
    'idle timer': timesOut,
    cancel: isCancelled,
    stop: 'abort, attempt cancelled, request failed 200, breakOff → ended',
  },
  streaming: {
    bytes: ' → streaming, true',
    end: 'attempt completed, request completed 200, complete → ended',
    'end with error': 'attempt failed, request failed 200, complete → ended',
    'connect failed': `engineOut, ${isBrokenOff}`,
    reset: isCutOff,
    syntax: isBrokenOff,
    truncated: isCutOff,
    'first byte timer': timesOut,
    'idle timer': timesOut,
    cancel: isCancelled,
    stop: 'abort, attempt cancelled, request failed 200, breakOff → ended',
  },
  ended: {},
};

function machineAfter(names: readonly InputName[], engines = ['a', 'b', 'c', 'd']) {
  const effects = new RecordedEffects(engines);
  const machine = new AttemptMachine(effects);
  for (const name of names) inputs[name](machine);
  effects.taken();
  return { machine, effects };
}

/** The results of the inputs, as in the table. */
function led(names: readonly InputName[], last: InputName, engines?: string[]): string {
  const { machine, effects } = machineAfter(names, engines);
  const returned = inputs[last](machine);
  return `${effects.taken()} → ${machine.state}${returned === undefined ? '' : `, ${returned}`}`;
}

for (const [state, way] of Object.entries(ways) as [keyof typeof ways, readonly InputName[]][]) {
  test(`a request that is ${state} does what the table says, and nothing else`, () => {
    assert.equal(machineAfter(way).machine.state, state);
    const returned = (name: string) =>
      name.startsWith('head') ? ', drop' : name === 'bytes' ? ', false' : '';
    for (const name of Object.keys(inputs) as InputName[]) {
      const nothing = ` → ${state}${returned(name)}`;
      assert.equal(led(way, name), table[state][name] ?? nothing, `${state}: ${name}`);
    }
  });
}

test('the status of the response decides whether it counts as failed, and whether it is a first byte', () => {
  const alone = ['a'];
  assert.match(
    led(['admit', 'head 400', 'bytes'], 'end', alone),
    /^attempt completed, .* completed 400/,
  );
  assert.match(led(['admit', 'head 429', 'bytes'], 'end', alone), /^attempt failed, .* failed 429/);
  assert.match(led(['admit', 'head 500', 'bytes'], 'end', alone), /^attempt failed, .* failed 500/);
  assert.equal(led(['admit', 'head 200'], 'bytes', alone), 'firstByte → streaming, true');
  for (const head of ['head 400', 'head 429', 'head 500'] as const) {
    assert.equal(led(['admit', head], 'bytes', alone), ' → streaming, true', head);
  }
});

test('two other engines are tried, none of them twice, and then the client gets the response of the last', () => {
  const tries = ['head 503', 'head 429'] as const;
  assert.match(led(['admit', tries[0]], tries[1]), /pick c, abort, .* send → sent, drop$/);
  assert.equal(led(['admit', ...tries], 'head 503'), ' → firstByte, pass');
});

test('an engine without the model is passed over, and not to blame; the last one’s 404 is passed on', () => {
  const { machine, effects } = machineAfter(['admit'], ['a', 'b']);
  assert.equal(machine.responseHead(404, true), 'drop');
  assert.equal(effects.taken(), 'lacksModel, pick b, abort, attempt cancelled, rerouted, send');
  assert.equal(machine.responseHead(404, true), 'pass');
  assert.equal(effects.taken(), 'lacksModel, pick nobody');
  assert.deepEqual(effects.broken, []);
});

test('a request that must not be worked on twice moves only from an engine that cannot have begun it', () => {
  const sentTo = (input: (machine: AttemptMachine) => unknown) => {
    const effects = new RecordedEffects(['a', 'b']);
    const watch = new AttemptWatch(new ManualClock());
    const machine = new AttemptMachine(effects, unrepeatable(defaultRetryPolicy), undefined, watch);
    machine.admit();
    effects.taken();
    input(machine);
    return [effects.taken().includes('pick b'), machine.state] as const;
  };
  for (const name of ['connect failed', 'head 429', 'head 503'] as const) {
    assert.deepEqual(sentTo(inputs[name]), [true, 'sent'], name);
  }
  for (const name of ['reset', 'syntax', 'truncated', 'first byte timer'] as const) {
    assert.deepEqual(sentTo(inputs[name]), [false, 'ended'], name);
  }
  assert.deepEqual(sentTo(inputs['head 500']), [false, 'firstByte']);
  // Its own deadline decides.
  const isWedged = (machine: AttemptMachine) => machine.deadlinePassed('engineStall', 10);
  assert.deepEqual(sentTo(isWedged), [false, 'sent']);
});

test('a request that two engines broke on fails alone', () => {
  for (const broken of ['reset', 'syntax', 'truncated', 'first byte timer'] as const) {
    assert.match(
      led(['admit', 'connect failed', broken], broken),
      /refuse 50[24] → ended$/,
      broken,
    );
  }
  assert.equal(led(['admit', 'head 500'], 'head 500'), ' → firstByte, pass');
  assert.match(led(['admit', 'head 500'], 'reset'), /refuse 502 → ended$/);
});

/** Requests of one router, which remembers the engines that fail. */
function router() {
  const clock = new ManualClock();
  const watch = new AttemptWatch(clock, { engineWaitSeconds: 0 });
  const request = (engines: readonly string[]) => {
    const effects = new RecordedEffects(engines);
    const machine = new AttemptMachine(effects, defaultRetryPolicy, undefined, watch);
    machine.admit();
    return { machine, effects };
  };
  /** Each of these engines fails a request of its own. */
  const failedBy = (...engines: string[]) => {
    for (const engine of engines) {
      const { machine } = request([engine]);
      for (const name of ['head 500', 'bytes', 'end'] as const) inputs[name](machine);
    }
  };
  const completedBy = (engine: string) => {
    const { machine } = request([engine]);
    for (const name of ['head 200', 'bytes', 'end'] as const) inputs[name](machine);
  };
  return { clock, watch, request, failedBy, completedBy };
}

test('engines that were failing other requests are not held against a request: it is tried elsewhere', () => {
  for (const [how, goesTo] of [
    ['head 500', /pick c, abort, attempt failed, rerouted, send$/],
    ['reset', /pick c, rerouted, send$/],
    ['first byte timer', /pick c, rerouted, send$/],
  ] as const) {
    const { request, failedBy } = router();
    failedBy('a', 'b');
    const { machine, effects } = request(['a', 'b', 'c']);
    inputs[how](machine);
    inputs[how](machine);
    assert.match(effects.taken(), goesTo, how);
  }
});

test('one engine that was failing and two that were not: the request ends on the third', () => {
  const { request, failedBy } = router();
  failedBy('a');
  const { machine, effects } = request(['a', 'b', 'c', 'd']);
  for (let i = 0; i < 3; i++) inputs.reset(machine);
  assert.match(effects.taken(), /refuse 502$/);
  // Other routers do not hear of the third one, for which the request may be to blame.
  assert.deepEqual(effects.broken, ['a', 'b']);
});

test('engines that were failing others, here or at another router, use up no attempt: at most eight', () => {
  const engines = Array.from({ length: 12 }, (_, i) => `e${i}`);
  for (const isHeard of [false, true]) {
    const { watch, request, failedBy } = router();
    for (const engine of engines) {
      if (isHeard) watch.heard(engine, 'broke', 1);
      else failedBy(engine);
    }
    const { machine, effects } = request(engines);
    for (let i = 0; i < 8; i++) inputs.reset(machine);
    assert.equal(machine.state, 'sent');
    inputs.reset(machine);
    assert.match(effects.taken(), /refuse 502$/);
  }
});

test('what another router completed since shows that an engine works again', () => {
  const { clock, watch, request } = router();
  for (const engine of ['a', 'b']) watch.heard(engine, 'broke', 1);
  clock.advance(2);
  for (const engine of ['a', 'b']) watch.heard(engine, 'completed', 1);
  const { machine, effects } = request(['a', 'b', 'c']);
  inputs.reset(machine);
  inputs.reset(machine);
  assert.match(effects.taken(), /refuse 502$/);
});

test('a request that takes others down with it is charged: they failed after it was sent', () => {
  const { request } = router();
  const innocent = (engine: string) => request([engine]).machine;
  const others = [innocent('a'), innocent('b')];
  const { machine, effects } = request(['a', 'b', 'c']);
  inputs.reset(others[0] as AttemptMachine);
  inputs.reset(machine);
  inputs.reset(others[1] as AttemptMachine);
  inputs.reset(machine);
  assert.match(effects.taken(), /refuse 502$/);
});

test('while engines fail that a request never met, it is not charged: it is tried on three', () => {
  const { request, failedBy } = router();
  failedBy('z');
  const { machine, effects } = request(['a', 'b', 'c', 'd']);
  inputs.reset(machine);
  inputs['head 500'](machine);
  assert.match(effects.taken(), /pick c, abort, attempt failed, rerouted, send$/);
  inputs.reset(machine);
  assert.match(effects.taken(), /refuse 502$/);
});

test('requests that break engines at the same time excuse each other only until two engines broke on each', () => {
  const { request } = router();
  const engines = Array.from({ length: 8 }, (_, i) => `e${i}`);
  const poisons = Array.from({ length: 5 }, (_, i) =>
    request([...engines.slice(i), ...engines.slice(0, i)]),
  );
  for (let round = 0; round < 12; round++) for (const { machine } of poisons) inputs.reset(machine);
  const sent = poisons.map(({ machine, effects }) => {
    assert.equal(machine.state, 'ended');
    return effects.taken().match(/\bsend\b/g)?.length ?? 0;
  });
  assert.ok(Math.max(...sent) <= 3, `${sent}`);
});

test('what a request took down with it does not excuse it, even on engines that it has left', () => {
  const { request, failedBy } = router();
  const { machine, effects } = request(['a', 'b', 'c']);
  inputs.reset(machine);
  // It broke the first engine, which now fails others.
  failedBy('a');
  inputs.reset(machine);
  assert.match(effects.taken(), /refuse 502$/);
});

test('an engine that this request broke in its first part is no excuse for it in the second', () => {
  const { request } = router();
  const { machine, effects } = request(['a', 'b']);
  inputs.reset(machine);
  machine.handedOver();
  machine.proceed();
  assert.match(effects.taken(), /pick a, send$/);
  inputs.reset(machine);
  assert.match(effects.taken(), /refuse 502$/);
});

test('an engine counts as failing for 10 s, until it completes a later request, and not by its own request', () => {
  const isCharged = (before: (stack: ReturnType<typeof router>) => void): boolean => {
    const stack = router();
    stack.failedBy('a', 'b');
    before(stack);
    const { machine } = stack.request(['a', 'b', 'c']);
    inputs.reset(machine);
    inputs.reset(machine);
    return machine.state === 'ended';
  };
  assert.equal(
    isCharged(({ clock }) => clock.advance(9)),
    false,
  );
  assert.equal(
    isCharged(({ clock, watch }) => {
      clock.advance(9);
      watch.check();
    }),
    false,
    'a check forgets only what is over',
  );
  assert.equal(
    isCharged(({ clock }) => clock.advance(11)),
    true,
  );
  assert.equal(
    isCharged(({ completedBy }) => {
      completedBy('a');
      completedBy('b');
    }),
    true,
  );
  // What was sent before the engine failed says nothing about the time after.
  const { request, failedBy } = router();
  const early = ['a', 'b'].map((engine) => request([engine]).machine);
  failedBy('a', 'b');
  for (const machine of early) {
    for (const name of ['head 200', 'bytes', 'end'] as const) inputs[name](machine);
  }
  const { machine } = request(['a', 'b', 'c']);
  inputs.reset(machine);
  inputs.reset(machine);
  assert.equal(machine.state, 'sent');
});

test('a refusal is passed to the client when no other engine is left, and after two reroutes', () => {
  for (const head of ['head 429', 'head 503'] as const) {
    assert.equal(led(['admit'], head, ['a']), 'pick nobody → firstByte, pass');
    assert.equal(led(['admit', head, head], head), ' → firstByte, pass');
  }
});

test('with no engine a request is refused, at first and between two attempts', () => {
  const nobody = 'pick nobody, request failed undefined, refuse noEngine → ended';
  assert.equal(led([], 'admit', []), nobody);
  const { machine } = machineAfter(['admit', 'reset'], ['a']);
  assert.equal(machine.state, 'ended');
});

test('after a hand-over the engines that failed the first part may be tried again', () => {
  assert.equal(led(['admit', 'reset', 'handed over'], 'proceed'), 'pick a, send → sent');
});

test('the policy is data: which failures, statuses and timers reroute a request, and how often', () => {
  const effects = new RecordedEffects(['a', 'b', 'c']);
  const machine = new AttemptMachine(effects, {
    ...defaultRetryPolicy,
    reroutesMax: 1,
    timers: {
      ...defaultRetryPolicy.timers,
      firstByte: { reroutes: true, engine: 'out', blamesRequest: false, status: 504 },
    },
    reroutedStatuses: new Set([429]),
  });
  machine.admit();
  machine.timerFired('firstByte');
  assert.equal(
    effects.taken(),
    'pick a, send, abort, engineOut, attempt failed, pick b, rerouted, send',
  );
  assert.equal(machine.responseHead(429, true), 'pass');
  const other = new RecordedEffects(['a', 'b']);
  const again = new AttemptMachine(other, { ...defaultRetryPolicy, reroutedStatuses: new Set() });
  again.admit();
  assert.equal(again.responseHead(503, true), 'pass');
});

/** A response that has begun, and another engine can go on with it. */
function begun(reads: number, engines?: string[]) {
  const { machine, effects } = machineAfter(['admit', 'head 200'], engines);
  effects.continues = 'possible';
  for (let i = 0; i < reads; i++) machine.responseBytes();
  effects.taken();
  return { machine, effects };
}

const movesOn = 'continuation possible, attempt failed, pick b, rerouted, send';

test('a response that has begun goes on at another engine, and its head is the first engine’s', () => {
  for (const [input, before] of [
    ['reset', 'engineSuspected'],
    ['truncated', 'engineSuspected'],
    ['idle timer', 'abort, engineSuspected'],
  ] as const) {
    const { machine, effects } = begun(1);
    inputs[input](machine);
    assert.equal(effects.taken(), `${before}, ${movesOn}`);
    assert.equal(machine.state, 'sent');
    assert.equal(machine.responseHead(200, false), 'hold');
    assert.equal(machine.responseHead(200, true), 'pass');
    assert.equal(machine.responseBytes(), true);
    assert.equal(effects.taken(), 'firstByte');
    machine.responseEnd(false);
    assert.equal(effects.taken(), 'attempt completed, request completed 200, complete');
  }
});

test('engines that cannot be reached do not use up the attempts of a request, up to a limit', () => {
  const engines = Array.from({ length: 20 }, (_, i) => `engine ${i}`);
  const { machine, effects } = machineAfter(['admit'], engines);
  const { substitutesMax, reroutesMax } = defaultRetryPolicy;
  for (let i = 0; i < substitutesMax; i++) {
    machine.attemptFailed('connect');
    assert.equal(machine.state, 'sent');
  }
  // Its attempts are still there, for engines that are busy.
  for (let i = 0; i < reroutesMax; i++) assert.equal(machine.responseHead(503, true), 'drop');
  effects.taken();
  machine.attemptFailed('connect');
  assert.equal(effects.taken(), 'engineOut, attempt failed, request failed 503, refuse 503');
  // Without retries there are no substitutes either.
  const single = new AttemptMachine(new RecordedEffects(engines), {
    ...defaultRetryPolicy,
    reroutesMax: 0,
  });
  single.admit();
  single.attemptFailed('connect');
  assert.equal(single.state, 'ended');
});

test('engines that refuse to continue a response do not use up its attempts', () => {
  const engines = Array.from({ length: 20 }, (_, i) => `engine ${i}`);
  const { machine, effects } = begun(1, engines);
  machine.attemptFailed('reset');
  for (let i = 0; i < 4; i++) {
    machine.attemptFailed('connect');
    machine.responseHead(503, true);
    assert.equal(machine.state, 'sent');
  }
  effects.taken();
  machine.attemptFailed('connect');
  assert.match(effects.taken(), /not continued: retries, request failed 200, breakOff$/);
  // The request breaks no more engines for that.
  const poison = begun(1, engines);
  for (const name of ['reset', 'connect failed', 'reset'] as const) inputs[name](poison.machine);
  assert.match(poison.effects.taken(), /not continued: retries, request failed 200, breakOff$/);
});

test('a response of which only the end is missing is completed', () => {
  const { machine, effects } = begun(1);
  effects.continues = 'complete';
  machine.attemptFailed('reset');
  assert.match(
    effects.taken(),
    /continuation complete, attempt failed, request completed 200, complete$/,
  );
});

test('an engine that refuses to go on ends the response; one that is busy does not', () => {
  const refused = begun(1);
  refused.machine.attemptFailed('reset');
  assert.equal(refused.machine.responseHead(400, true), 'drop');
  assert.match(
    refused.effects.taken(),
    /abort, attempt failed, not continued: refused, request failed 200, breakOff$/,
  );
  const busy = begun(1);
  busy.machine.attemptFailed('reset');
  assert.equal(busy.machine.responseHead(503, true), 'drop');
  assert.match(busy.effects.taken(), /pick c, abort, attempt failed, rerouted, send$/);
  const mismatch = begun(1);
  mismatch.machine.attemptFailed('reset');
  mismatch.machine.responseHead(200, true);
  mismatch.machine.attemptFailed('mismatch');
  assert.match(mismatch.effects.taken(), /attempt failed, request failed 200, breakOff$/);
});

test('without an engine that could go on, the response breaks off, and no error takes its place', () => {
  const alone = begun(1, ['a']);
  alone.machine.attemptFailed('reset');
  assert.match(
    alone.effects.taken(),
    /pick nobody, not continued: engines, request failed 200, breakOff$/,
  );
  const two = begun(1, ['a', 'b']);
  two.machine.attemptFailed('connect');
  two.machine.attemptFailed('connect');
  assert.match(two.effects.taken(), /not continued: engines, request failed 200, breakOff$/);
  for (const end of [
    (machine: AttemptMachine) => machine.stop(),
    (machine: AttemptMachine) => machine.cancel(),
  ]) {
    const { machine, effects } = begun(1);
    machine.attemptFailed('reset');
    end(machine);
    assert.doesNotMatch(effects.taken(), /refuse/);
  }
});

test('a response that breaks engines at once ends after two; one that made progress goes on', () => {
  const poison = begun(1);
  poison.machine.attemptFailed('reset');
  poison.machine.responseHead(200, true);
  poison.machine.responseBytes();
  poison.machine.attemptFailed('reset');
  assert.match(poison.effects.taken(), /not continued: retries, request failed 200, breakOff$/);
  const { machine, effects } = begun(0, ['a', 'b']);
  const { migrationsMax, progressChunks } = defaultRetryPolicy;
  for (let i = 0; i < migrationsMax; i++) {
    for (let read = 0; read < progressChunks; read++) machine.responseBytes();
    machine.attemptFailed('reset');
    assert.equal(machine.state, 'sent');
    machine.responseHead(200, true);
  }
  for (let read = 0; read < progressChunks; read++) machine.responseBytes();
  machine.attemptFailed('reset');
  assert.match(effects.taken(), /not continued: retries, request failed 200, breakOff$/);
});

test('progress counts for the attempt that made it, not for the next one', () => {
  const { machine, effects } = begun(defaultRetryPolicy.progressChunks);
  machine.attemptFailed('reset');
  for (let i = 0; i < defaultRetryPolicy.brokenEnginesMax; i++) {
    assert.equal(machine.state, 'sent');
    machine.responseHead(200, true);
    machine.responseBytes();
    machine.attemptFailed('reset');
  }
  assert.match(effects.taken(), /not continued: retries, request failed 200, breakOff$/);
});

test('after eight chunks an attempt has made progress, which is reported once', () => {
  const { machine, effects } = machineAfter(['admit', 'head 200']);
  for (let i = 0; i < 20; i++) machine.responseBytes();
  assert.equal(effects.taken(), 'firstByte, progressed');
  const atOnce = machineAfter(['admit', 'head 200']);
  atOnce.machine.responseBytes(9);
  assert.equal(atOnce.effects.taken(), 'firstByte, progressed');
  const error = machineAfter(['admit', 'head 400']);
  error.machine.responseBytes(9);
  assert.equal(error.effects.taken(), '');
});

test('without migration a response ends with its engine', () => {
  const effects = new RecordedEffects(['a', 'b']);
  effects.continues = 'possible';
  const machine = new AttemptMachine(effects, { ...defaultRetryPolicy, migrationsMax: 0 });
  for (const name of ['admit', 'head 200', 'bytes', 'reset'] as const) inputs[name](machine);
  assert.match(effects.taken(), /attempt failed, request failed 200, breakOff$/);
});

test('a response that has begun is never refused, whatever its next engine says', () => {
  const effects = new RecordedEffects(['a', 'b']);
  effects.continues = 'possible';
  const machine = new AttemptMachine(effects, { ...defaultRetryPolicy, reroutesMax: 1 });
  machine.admit();
  machine.responseHead(200, true);
  machine.timerFired('streamIdle');
  machine.handedOver();
  machine.attemptFailed('reset');
  assert.equal(machine.state, 'ended');
  assert.deepEqual(
    effects.log.filter((word) => /^(refuse|breakOff)/.test(word)),
    ['breakOff'],
  );
});

test('a head alone is held, and the request may still move to another engine', () => {
  assert.match(led(['admit', 'head alone'], 'reset'), /pick b, rerouted, send → sent$/);
  assert.match(led(['admit', 'head alone'], 'idle timer'), /pick b, rerouted, send → sent$/);
  assert.equal(led(['admit', 'head alone'], 'head 200'), ' → firstByte, pass');
});

test('retries stop when the budget is spent, and requests earn it again', () => {
  let seconds = 0;
  const budget = new RetryBudget({ nowSeconds: () => seconds });
  const retried = (requests: number) => {
    let count = 0;
    for (let i = 0; i < requests; i++) {
      const effects = new RecordedEffects(['a', 'b', 'c']);
      const machine = new AttemptMachine(effects, defaultRetryPolicy, budget);
      machine.admit();
      machine.responseHead(503, true);
      machine.responseHead(503, true);
      count += effects.log.filter((word) => word === 'rerouted').length;
    }
    return count;
  };
  // 100 to begin with, and a fifth of one per request.
  const first = retried(200);
  assert.ok(
    first >= 100 && first <= 140,
    `${first} retries of 200 requests to a fleet that is out`,
  );
  assert.ok(retried(50) <= 11);
  seconds += 1;
  assert.ok(retried(50) >= 10);
});

test('an input from within send is handled', () => {
  const effects = new RecordedEffects(['a', 'b']);
  let sends = 0;
  effects.onSend = () => {
    if (sends++ === 0) machine.attemptFailed('connect');
    else if (machine.responseHead(200, true) === 'pass') machine.responseEnd(false);
  };
  const machine = new AttemptMachine(effects);
  machine.admit();
  assert.equal(machine.state, 'ended');
  assert.match(
    effects.taken(),
    /rerouted, send, attempt completed, request completed 200, complete$/,
  );
});
