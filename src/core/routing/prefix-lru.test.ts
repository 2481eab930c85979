import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { hashTokenChain } from '../kv/index.ts';
import { PrefixLru } from './prefix-lru.ts';

const chainOf = (...blocks: number[]) => hashTokenChain(blocks, 1);

test('what was touched is found as far as two prompts agree', () => {
  const held = new PrefixLru({ blocksMax: 100 });
  held.touch(chainOf(1, 2, 3, 4));
  assert.equal(held.leadingBlocks(chainOf(1, 2, 3, 4, 5)), 4);
  assert.equal(held.leadingBlocks(chainOf(1, 2, 9, 4)), 2);
  assert.equal(held.leadingBlocks(chainOf(2, 3)), 0);
  assert.equal(held.leadingBlocks(chainOf()), 0);
});

test('a full memory loses tails before heads, old prompts before new ones', () => {
  const held = new PrefixLru({ blocksMax: 5 });
  held.touch(chainOf(1, 2, 3));
  held.touch(chainOf(7, 8, 9));
  assert.equal(held.leadingBlocks(chainOf(1, 2, 3)), 2);
  assert.equal(held.leadingBlocks(chainOf(7, 8, 9)), 3);
  held.setBlocksMax(2);
  assert.equal(held.leadingBlocks(chainOf(1, 2, 3)), 0);
  assert.equal(held.leadingBlocks(chainOf(7, 8, 9)), 2);
});

test('of a prompt longer than the memory its head is kept', () => {
  const held = new PrefixLru({ blocksMax: 3 });
  held.touch(chainOf(1, 2, 3, 4, 5));
  assert.equal(held.leadingBlocks(chainOf(1, 2, 3, 4, 5)), 3);
});

test('it agrees with a plain list under any history', () => {
  const prompt = fc.array(fc.nat(2), { maxLength: 8 });
  const step = fc.tuple(fc.constantFrom('touch', 'touch', 'resize'), prompt, fc.nat(9));
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const held = new PrefixLru({ blocksMax: 40 });
      let blocksMax = 40;
      /** Youngest last. */
      let list: number[] = [];
      for (const [kind, blocks, number] of steps) {
        const chain = chainOf(...blocks);
        if (kind === 'touch') {
          const kept = [...chain].slice(0, blocksMax);
          list = [...list.filter((hash) => !kept.includes(hash)), ...kept.reverse()];
          list = list.slice(-blocksMax);
          held.touch(chain);
        } else {
          blocksMax = 4 * number + 1;
          list = list.slice(-blocksMax);
          held.setBlocksMax(blocksMax);
        }
        assert.equal(held.size, list.length);
        const missing = [...chain].findIndex((hash) => !list.includes(hash));
        assert.equal(held.leadingBlocks(chain), missing === -1 ? chain.length : missing);
        for (const [, asked] of steps) {
          const known = [...chainOf(...asked)].findIndex((hash) => !list.includes(hash));
          assert.equal(held.leadingBlocks(chainOf(...asked)), known === -1 ? asked.length : known);
        }
      }
    }),
    { numRuns: 200 },
  );
});

test('it grows to many blocks and finds every one', () => {
  const held = new PrefixLru({ blocksMax: 20_000 });
  const chains = Array.from({ length: 100 }, (_, i) => hashTokenChain([i, ...range(199)], 1));
  for (const chain of chains) held.touch(chain);
  assert.equal(held.size, 20_000);
  assert.ok(chains.every((chain) => held.leadingBlocks(chain) === 200));
});

const range = (length: number) => Array.from({ length }, (_, i) => i);
