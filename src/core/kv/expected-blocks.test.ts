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
  return {
    index,
    matched: (tokens = prompt) => Array.from(index.match(tokens, {}, ['a', 'b'])),
    expect: (tokens = prompt, name = 'a') => index.expect(name, tokens, {}, blockTokens),
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

test('events take over from the expectation, evictions included', () => {
  const { index, matched, expect, stored } = make();
  const expected = expect();
  stored();
  assert.equal(index.expectedBlocks, 0);
  assert.deepEqual(matched(), [12, 0]);
  index.apply('a', [{ type: 'AllBlocksCleared' }]);
  assert.deepEqual(matched(), [0, 0]);
  assert.ok(expected);
  index.settleExpected(expected, 1);
  index.forgetExpected(10);
  assert.deepEqual(matched(), [0, 0]);
});

test('without events it is forgotten two seconds after the first byte', () => {
  const { index, matched, expect } = make();
  const expected = expect();
  assert.ok(expected);
  index.forgetExpected(1_000);
  assert.deepEqual(matched(), [12, 0]);
  index.settleExpected(expected, 1_000);
  index.settleExpected(expected, 5_000);
  index.forgetExpected(1_001.9);
  assert.deepEqual(matched(), [12, 0]);
  index.forgetExpected(1_002);
  assert.deepEqual(matched(), [0, 0]);
});

test('a failed attempt withdraws what no other prompt in flight shares', () => {
  const { index, matched, expect } = make();
  const first = expect();
  const second = expect(longer);
  assert.ok(first && second);
  assert.deepEqual(matched(longer), [16, 0]);
  index.withdrawExpected(second);
  assert.deepEqual(matched(longer), [12, 0]);
  index.withdrawExpected(first);
  index.withdrawExpected(first);
  assert.deepEqual([matched(longer), index.expectedBlocks], [[0, 0], 0]);
});

test('blocks that the engine has are not expected, and a lost cache ends all expectations', () => {
  const { index, matched, expect, stored } = make();
  stored();
  assert.equal(expect(), undefined);
  const rest = expect(longer);
  assert.equal(index.expectedBlocks, 1);
  index.clear('a');
  assert.deepEqual([matched(longer), index.expectedBlocks], [[0, 0], 0]);
  const again = expect(longer);
  assert.ok(rest && again);
  index.withdrawExpected(rest);
  assert.deepEqual(matched(longer), [16, 0]);
});

test('nothing is expected of an engine without events or of unknown block size', () => {
  const { index, expect } = make();
  assert.equal(index.expect('a', prompt, {}), undefined);
  assert.equal(index.expect('nowhere', prompt, {}, blockTokens), undefined);
  index.setKnowledge('a', 'none');
  assert.equal(expect(), undefined);
});

test('prompts beyond the bound are not expected', () => {
  const { index, matched, expect } = make(4);
  expect();
  assert.equal(expect(longer, 'b'), undefined);
  assert.deepEqual(matched(), [12, 0]);
  assert.ok(index.expectedBlocks <= 4);
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
      const { index, expect, stored } = make(20);
      const open: NonNullable<ReturnType<typeof expect>>[] = [];
      let now = 0;
      for (const { kind, name, tokens, after } of steps) {
        now += after;
        index.forgetExpected(now);
        const given = Uint32Array.from(tokens);
        if (kind === 'sent') {
          const expected = expect(given, name);
          if (expected) open.push(expected);
          const whole = given.length - (given.length % blockTokens);
          if (expected) assert.equal(index.match(given, {}, [name])[0], whole);
        } else if (kind === 'stored') stored(given, name);
        else if (kind === 'cleared') index.clear(name);
        else {
          const expected = open.shift();
          if (expected && kind === 'settled') index.settleExpected(expected, now);
          else if (expected) index.withdrawExpected(expected);
        }
        assert.ok(index.expectedBlocks <= 20);
      }
      for (const expected of open) index.settleExpected(expected, now);
      index.forgetExpected(now + 2);
      assert.equal(index.expectedBlocks, 0);
    }),
  );
});
