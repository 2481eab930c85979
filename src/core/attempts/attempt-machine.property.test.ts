// Invariants of the machine for any inputs in any order.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { RecordedEffects } from '../../../test/support/recorded-effects.ts';
import { AttemptMachine, defaultRetryPolicy } from './index.ts';

const kinds = fc.constantFrom('connect', 'reset', 'syntax', 'truncated', 'event', 'mismatch');
const continuations = fc.constantFrom('possible', 'impossible', 'complete');
const timers = fc.constantFrom('firstByte', 'streamIdle');

type Input = (machine: AttemptMachine) => unknown;

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
  fc.constant<Input>((machine) => machine.stop()),
);

const lastWords = /^(refuse|breakOff|complete)/;

test('any inputs in any order: one attempt at a time, one end, no output after it', () => {
  fc.assert(
    fc.property(
      fc.array(input, { maxLength: 30 }),
      fc.integer({ min: 0, max: 4 }),
      fc.integer({ min: 0, max: 3 }),
      continuations,
      (inputs, engines, reroutesMax, continues) => {
        const effects = new RecordedEffects(['a', 'b', 'c', 'd'].slice(0, engines));
        effects.continues = continues;
        const machine = new AttemptMachine(effects, { ...defaultRetryPolicy, reroutesMax });
        let hasBegun = false;
        for (const give of [(one: AttemptMachine) => one.admit(), ...inputs]) {
          const before = machine.state;
          const length = effects.log.length;
          give(machine);
          const said = effects.log.slice(length);
          const isUnderWay = ['sent', 'firstByte', 'streaming'].includes(machine.state);
          assert.equal(effects.attemptsOpen, isUnderWay ? 1 : 0);
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
        const reroutes = effects.log.filter((word) => word === 'rerouted').length;
        // Responses that made progress may move more often; 30 inputs are too few for that twice.
        assert.ok(reroutes <= 4 * (reroutesMax + 1));
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
      const machine = new AttemptMachine(effects);
      for (const give of [(one: AttemptMachine) => one.admit(), ...inputs]) give(machine);
      const failed = new Set<string>();
      let [picked, engine] = ['', ''];
      for (const word of effects.log) {
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
