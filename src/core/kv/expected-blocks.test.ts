import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createBlockHasher, KvEventLog, KvIndex, KvSequence } from './index.ts';

const blockTokens = 4;
const prompt = Uint32Array.from({ length: 12 }, (_, i) => i + 1);
const longer = Uint32Array.from([...prompt, 20, 21, 22, 23]);

function make(expectedBlocksMax?: number) {
  const index = new KvIndex(expectedBlocksMax === undefined ? {} : { expectedBlocksMax });
  for (const name of ['a', 'b']) index.addEngine(name);
  const expected = index.expectations();
  return {
    ...{ index, expected },
    matched: (tokens = prompt) => Array.from(index.match(tokens, {}, ['a', 'b'], 'GPU', expected)),
    expect: (tokens = prompt, name = 'a') =>
      index.expect(expected, { name, tokens, scope: {}, blockTokens }),
    stored: (tokens = prompt, name = 'a') => index.apply(name, eventsOf(tokens)),
  };
}

function eventsOf(tokens: Uint32Array) {
  const log = new KvEventLog();
  const sequence = new KvSequence(createBlockHasher(), blockTokens, tokens, {});
  log.blocksStored(sequence, 0, Math.floor(tokens.length / blockTokens));
  return log.take();
}

test('a prompt that was sent counts as cached, for its engine only', () => {
  const { matched, expect } = make();
  expect();
  assert.deepEqual(matched(), [12, 0]);
  assert.deepEqual(matched(longer), [12, 0]);
});

test('what one router expects is unknown to another router of the same index', () => {
  const { index, expect } = make();
  expect();
  const other = index.expectations();
  assert.equal(index.match(prompt, {}, ['a'], 'GPU', other)[0], 0);
});

test('events take over from the expectation, evictions included', () => {
  const { index, expected, matched, expect, stored } = make();
  const sent = expect();
  stored();
  assert.equal(expected.size, 0);
  assert.deepEqual(matched(), [12, 0]);
  index.apply('a', [{ type: 'AllBlocksCleared' }]);
  assert.deepEqual(matched(), [0, 0]);
  assert.ok(sent);
  expected.settle(sent, 1);
  expected.forget(10);
  assert.deepEqual(matched(), [0, 0]);
});

test('without events it is forgotten two seconds after the first byte', () => {
  const { expected, matched, expect } = make();
  const sent = expect();
  assert.ok(sent);
  expected.forget(1_000);
  assert.deepEqual(matched(), [12, 0]);
  expected.settle(sent, 1_000);
  expected.settle(sent, 5_000);
  expected.forget(1_001.9);
  assert.deepEqual(matched(), [12, 0]);
  expected.forget(1_002);
  assert.deepEqual(matched(), [0, 0]);
});

test('a failed attempt withdraws what no other prompt in flight shares', () => {
  const { expected, matched, expect } = make();
  const first = expect();
  const second = expect(longer);
  assert.ok(first && second);
  assert.deepEqual(matched(longer), [16, 0]);
  expected.withdraw(second);
  assert.deepEqual(matched(longer), [12, 0]);
  expected.withdraw(first);
  expected.withdraw(first);
  assert.deepEqual([matched(longer), expected.size], [[0, 0], 0]);
});

test('blocks that the engine has are not expected, and a lost cache ends all expectations', () => {
  const { index, expected, matched, expect, stored } = make();
  stored();
  assert.equal(expect(), undefined);
  const rest = expect(longer);
  assert.equal(expected.size, 1);
  index.clear('a');
  assert.deepEqual([matched(longer), expected.size], [[0, 0], 0]);
  const again = expect(longer);
  assert.ok(rest && again);
  expected.withdraw(rest);
  assert.deepEqual(matched(longer), [16, 0]);
});

test('nothing is expected of an engine without events or of unknown block size', () => {
  const { index, expected, expect } = make();
  assert.equal(index.expect(expected, { name: 'a', tokens: prompt, scope: {} }), undefined);
  assert.equal(expect(prompt, 'nowhere'), undefined);
  index.setKnowledge('a', 'none');
  assert.equal(expect(), undefined);
});

test('prompts beyond the bound are not expected', () => {
  const { expected, matched, expect } = make(4);
  expect();
  assert.equal(expect(longer, 'b'), undefined);
  assert.deepEqual(matched(), [12, 0]);
  assert.ok(expected.size <= 4);
});

test('whatever is sent, answered, stored and lost, nothing stays expected in the end', () => {
  const step = fc.record({
    kind: fc.constantFrom('sent', 'sent', 'settled', 'withdrawn', 'stored', 'cleared'),
    name: fc.constantFrom('a', 'b'),
    tokens: fc.array(fc.nat(2), { minLength: 4, maxLength: 20 }),
    after: fc.nat(3),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const { index, expected, expect, stored } = make(20);
      const open: NonNullable<ReturnType<typeof expect>>[] = [];
      let now = 0;
      for (const { kind, name, tokens, after } of steps) {
        now += after;
        expected.forget(now);
        const given = Uint32Array.from(tokens);
        if (kind === 'sent') {
          const sent = expect(given, name);
          if (sent === undefined) continue;
          open.push(sent);
          const whole = given.length - (given.length % blockTokens);
          assert.equal(index.match(given, {}, [name], 'GPU', expected)[0], whole);
        } else if (kind === 'stored') stored(given, name);
        else if (kind === 'cleared') index.clear(name);
        else {
          const sent = open.shift();
          if (sent && kind === 'settled') expected.settle(sent, now);
          else if (sent) expected.withdraw(sent);
        }
        assert.ok(expected.size <= 20);
      }
      for (const sent of open) expected.settle(sent, now);
      expected.forget(now + 2);
      assert.equal(expected.size, 0);
    }),
  );
});
