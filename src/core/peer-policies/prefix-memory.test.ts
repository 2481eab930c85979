import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { engine, promptOf } from '../../../test/support/peer-fleet.ts';
import { PrefixMemory, promptBlocks } from './prefix-memory.ts';

const blocksOf = (letters: string) => promptBlocks(promptOf(letters), 256);

test('leading blocks are those shared with the longest prompt sent', () => {
  const e = engine('a');
  fc.assert(
    fc.property(
      fc.array(fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 8 }), { maxLength: 12 }),
      fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 8 }),
      (sent, asked) => {
        const memory = new PrefixMemory({ blocksMax: 1000 });
        for (const [i, letters] of sent.entries()) memory.touch(e, blocksOf(letters), i);
        const common = (other: string) => {
          let n = 0;
          while (n < asked.length && n < other.length && asked[n] === other[n]) n++;
          return n;
        };
        const expected = Math.max(0, ...sent.map(common));
        assert.equal(memory.leadingBlocks(e, blocksOf(asked), 99), expected);
      },
    ),
  );
});

test('a full memory drops the tails of the least recently used prompts first', () => {
  const memory = new PrefixMemory({ blocksMax: 5 });
  const e = engine('a');
  memory.touch(e, blocksOf('abc'), 0);
  memory.touch(e, blocksOf('xyz'), 1);
  assert.equal(memory.leadingBlocks(e, blocksOf('abc'), 2), 2);
  assert.equal(memory.leadingBlocks(e, blocksOf('xyz'), 2), 3);
});

test('a block unused for the time to live is dropped', () => {
  const memory = new PrefixMemory({ blocksMax: 99, ttlSeconds: 10 });
  const e = engine('a');
  memory.touch(e, blocksOf('abc'), 0);
  memory.touch(e, blocksOf('ab'), 8);
  assert.equal(memory.leadingBlocks(e, blocksOf('abc'), 10), 3);
  assert.equal(memory.leadingBlocks(e, blocksOf('abc'), 11), 2);
  assert.equal(memory.leadingBlocks(e, blocksOf('abc'), 19), 0);
});
