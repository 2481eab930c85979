import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { hashTokenChain } from '../kv/index.ts';
import { PrefixTree } from './prefix-tree.ts';

const chainOf = (...blocks: number[]) => hashTokenChain(blocks, 1);

/** A tree with one holder. */
function memoryOf(blocksMax: number) {
  const tree = new PrefixTree();
  const holder = tree.addHolder({ blocksMax });
  return {
    touch: (chain: Float64Array) => tree.touch(holder, chain),
    resize: (max: number) => tree.setBlocksMax(holder, max),
    leadingBlocks: (chain: Float64Array) => tree.leadingBlocks(chain)[holder.number],
    holder,
  };
}

test('touched blocks are found up to where two prompts diverge', () => {
  const held = memoryOf(100);
  held.touch(chainOf(1, 2, 3, 4));
  assert.equal(held.leadingBlocks(chainOf(1, 2, 3, 4, 5)), 4);
  assert.equal(held.leadingBlocks(chainOf(1, 2, 9, 4)), 2);
  assert.equal(held.leadingBlocks(chainOf(2, 3)), 0);
  assert.equal(held.leadingBlocks(chainOf()), 0);
});

test('a full memory drops tails before heads, and old prompts before new ones', () => {
  const held = memoryOf(5);
  held.touch(chainOf(1, 2, 3));
  held.touch(chainOf(7, 8, 9));
  assert.equal(held.leadingBlocks(chainOf(1, 2, 3)), 2);
  assert.equal(held.leadingBlocks(chainOf(7, 8, 9)), 3);
  held.resize(2);
  assert.equal(held.leadingBlocks(chainOf(1, 2, 3)), 0);
  assert.equal(held.leadingBlocks(chainOf(7, 8, 9)), 2);
});

test('touching a prompt again makes all of its blocks young, across the places where others diverge', () => {
  const held = memoryOf(6);
  held.touch(chainOf(1, 2, 3, 4));
  held.touch(chainOf(1, 2, 9));
  held.touch(chainOf(7));
  held.touch(chainOf(1, 2, 3, 4));
  for (const block of [8, 6]) held.touch(chainOf(block));
  assert.equal(held.leadingBlocks(chainOf(1, 2, 3, 4)), 4);
  assert.equal(held.leadingBlocks(chainOf(1, 2, 9)), 2);
  assert.equal(held.leadingBlocks(chainOf(7)), 0);
});

test('the head of a prompt longer than the memory is kept', () => {
  const held = memoryOf(3);
  held.touch(chainOf(1, 2, 3, 4, 5));
  assert.equal(held.leadingBlocks(chainOf(1, 2, 3, 4, 5)), 3);
});

test('each holder agrees with a plain list after any history', () => {
  const prompt = fc.array(fc.nat(2), { maxLength: 8 });
  const kind = fc.constantFrom('touch', 'touch', 'touch', 'resize', 'clear', 'replace');
  const step = fc.record({ kind, who: fc.nat(2), blocks: prompt, size: fc.nat(9) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const tree = new PrefixTree();
      /** Youngest block last. */
      const holders = Array.from({ length: 3 }, () => {
        return { holder: tree.addHolder({ blocksMax: 40 }), list: [] as number[] };
      });
      for (const { kind, who, blocks, size } of steps) {
        const one = holders[who] as (typeof holders)[0];
        const chain = chainOf(...blocks);
        if (kind === 'touch') {
          const { blocksMax } = one.holder;
          const kept = [...chain].slice(0, blocksMax);
          one.list = [...one.list.filter((hash) => !kept.includes(hash)), ...kept.reverse()];
          one.list = one.list.slice(-blocksMax);
          tree.touch(one.holder, chain);
        } else if (kind === 'resize') {
          tree.setBlocksMax(one.holder, 4 * size + 1);
          one.list = one.list.slice(-(4 * size + 1));
        } else {
          one.list = [];
          tree.clear(one.holder);
          if (kind === 'replace') {
            tree.removeHolder(one.holder);
            one.holder = tree.addHolder({ blocksMax: 40 });
          }
        }
        for (const asked of steps.map((other) => chainOf(...other.blocks))) {
          const leading = tree.leadingBlocks(asked);
          for (const { holder, list } of holders) {
            const missing = [...asked].findIndex((hash) => !list.includes(hash));
            assert.equal(leading[holder.number], missing === -1 ? asked.length : missing);
          }
        }
        for (const { holder, list } of holders) assert.equal(holder.size, list.length);
      }
    }),
    { numRuns: 200 },
  );
});

test('the tree grows to many blocks and finds every one', () => {
  const held = memoryOf(20_000);
  const chains = Array.from({ length: 100 }, (_, i) => hashTokenChain([i, ...range(199)], 1));
  for (const chain of chains) held.touch(chain);
  assert.equal(held.holder.size, 20_000);
  assert.ok(chains.every((chain) => held.leadingBlocks(chain) === 200));
});

const range = (length: number) => Array.from({ length }, (_, i) => i);
