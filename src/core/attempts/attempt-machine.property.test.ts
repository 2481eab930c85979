// Invariants of the machine for any inputs in any order.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { RecordedEffects } from '../../../test/support/recorded-effects.ts';
import { ManualClock } from '../base/index.ts';
import { AttemptMachine, defaultRetryPolicy, Hedging } from './index.ts';

const kinds = fc.constantFrom('connect', 'reset', 'syntax', 'truncated', 'event', 'mismatch');
const continuations = fc.constantFrom('possible', 'impossible', 'complete');
const timers = fc.constantFrom('firstByte', 'streamIdle');

type Input = (machine: AttemptMachine, effects: RecordedEffects) => unknown;

const input: fc.Arbitrary<Input> = fc.oneof(
  fc.constant<Input>((machine) => machine.admit()),
  fc.constant<Input>((machine) => machine.proceed()),
  fc.tuple(fc.constantFrom(200, 400, 429, 500, 503), fc.boolean()).map<Input>(
    ([status, hasBody]) =>
      (machine) =>
        machine.responseHead(status, hasBody),
  ),
  fc.constant<Input>((machine) => machine.responseBytes()),
  fc.boolean().map<Input>((isError) => (machine) => machine.responseEnd(isError)),
  kinds.map<Input>((kind) => (machine) => machine.attemptFailed(kind)),
  timers.map<Input>((timer) => (machine) => machine.timerFired(timer)),
  fc.constant<Input>((machine) => machine.handedOver()),
  fc.constant<Input>((machine) => machine.cancel()),
  fc.constant<Input>((machine) => machine.reject(429)),
  fc.constant<Input>((machine) => machine.hedge()),
  fc.tuple(fc.constantFrom(200, 400, 429, 500), fc.boolean()).map<Input>(
    ([status, hasBody]) =>
      (machine, { hedge }) =>
        hedge && machine.responseHead(status, hasBody, hedge),
  ),
  kinds.map<Input>(
    (kind) =>
      (machine, { hedge }) =>
        hedge && machine.attemptFailed(kind, hedge),
  ),
  fc.constant<Input>((machine) => machine.stop()),
);

const lastWords = /^(refuse|breakOff|complete)/;

/** A machine that may hedge at any time. */
function machineOf(effects: RecordedEffects, reroutesMax = defaultRetryPolicy.reroutesMax) {
  const delays = { delaySeconds: () => 0, observe: () => {} };
  const hedging = new Hedging({ budgetShare: 1, clock: new ManualClock(), delays });
  const policy = { ...defaultRetryPolicy, reroutesMax };
  const hedges = { hedging, model: 'm' };
  return new AttemptMachine(effects, policy, undefined, undefined, undefined, hedges);
}

test('any inputs in any order: one attempt at a time and at most one hedge, one end, no output after it', () => {
  fc.assert(
    fc.property(
      fc.array(input, { maxLength: 30 }),
      fc.integer({ min: 0, max: 4 }),
      fc.integer({ min: 0, max: 3 }),
      continuations,
      (inputs, engines, reroutesMax, continues) => {
        const effects = new RecordedEffects(['a', 'b', 'c', 'd'].slice(0, engines));
        effects.continues = continues;
        const machine = machineOf(effects, reroutesMax);
        let hasBegun = false;
        for (const give of [(one: AttemptMachine) => one.admit(), ...inputs]) {
          const before = machine.state;
          const length = effects.log.length;
          give(machine, effects);
          const said = effects.log.slice(length);
          const isUnderWay = ['sent', 'firstByte', 'streaming'].includes(machine.state);
          const isHedged = effects.hedge !== undefined;
          assert.equal(effects.attemptsOpen, (isUnderWay ? 1 : 0) + (isHedged ? 1 : 0));
          assert.ok(!isHedged || machine.state === 'sent');
          assert.notEqual(machine.state, 'picked');
          const isEnd = before !== 'ended' && machine.state === 'ended';
          assert.equal(said.filter((word) => word.startsWith('request ')).length, isEnd ? 1 : 0);
          assert.ok(said.filter((word) => lastWords.test(word)).length <= (isEnd ? 1 : 0));
          if (before === 'firstByte' || before === 'streaming') {
            assert.ok(!said.includes('send') || continues === 'possible');
          }
          if (hasBegun) assert.ok(!said.some((word) => word.startsWith('refuse')));
          hasBegun ||= machine.state === 'firstByte';
          if (before === 'ended') assert.deepEqual(said, []);
        }
        const count = (pattern: RegExp) => effects.log.filter((word) => pattern.test(word)).length;
        const hedges = count(/^hedge send$/);
        const isOpen = effects.hedge !== undefined;
        assert.ok(hedges <= 1);
        assert.equal(count(/^hedge (won|lost|failed|cancelled)$/), hedges - (isOpen ? 1 : 0));
        const reroutes = effects.log.filter((word) => word === 'rerouted').length - hedges;
        // Responses that made progress may move more often; 30 inputs are too few for that twice.
        const { substitutesMax } = defaultRetryPolicy;
        const reroutesAtMost = reroutesMax === 0 ? 0 : 4 * (reroutesMax + 1) + substitutesMax;
        assert.ok(reroutes <= reroutesAtMost);
        machine.cancel();
        assert.equal(machine.state, 'ended');
        assert.equal(effects.attemptsOpen, 0);
        assert.equal(effects.log.filter((word) => word.startsWith('request ')).length, 1);
      },
    ),
    { numRuns: 1000 },
  );
});

test('each send follows a pick of an engine that has not failed this part of the request', () => {
  fc.assert(
    fc.property(fc.array(input, { maxLength: 30 }), (inputs) => {
      const effects = new RecordedEffects(['a', 'b', 'c', 'd']);
      const machine = machineOf(effects);
      for (const give of [(one: AttemptMachine) => one.admit(), ...inputs]) give(machine, effects);
      const failed = new Set<string>();
      let [picked, engine, hedge] = ['', '', ''];
      for (const word of effects.log) {
        if (word.startsWith('pickHedge ')) hedge = word.replace('pickHedge', 'pick');
        if (word === 'hedge send') {
          assert.ok(!failed.has(hedge) && hedge !== engine, `${hedge}: ${effects.log}`);
        }
        if (word === 'hedge failed') failed.add(hedge);
        if (word === 'hedge won') engine = hedge;
        if (word.startsWith('pick ')) picked = word;
        if (word === 'send') {
          engine = picked;
          assert.ok(!failed.has(engine), `${engine} failed before: ${effects.log}`);
        }
        if (word === 'attempt completed') failed.clear();
        if (word === 'attempt failed') failed.add(engine);
      }
    }),
    { numRuns: 1000 },
  );
});
