import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { PromptsInFlight } from './prompts-in-flight.ts';

/** Chains over three first blocks, in which a number stands for the path to it. */
const chain = fc
  .array(fc.nat(2), { minLength: 1, maxLength: 8 })
  .map((path) => Float64Array.from(path, (_, i) => Number(`1${path.slice(0, i + 1).join('')}`)));

test('a chain is in flight up to the longest prefix shared with another', () => {
  const prompts = new PromptsInFlight();
  prompts.add(Float64Array.of(1, 2, 3));
  prompts.add(Float64Array.of(1, 2, 9, 10));
  const held = [[1, 2, 3, 4], [1, 2, 9], [1, 5], [7]].map((c) =>
    prompts.leadingBlocks(Float64Array.from(c)),
  );
  assert.deepEqual(held, [3, 3, 1, 0]);
});

test('chains added and removed in any order count as the rest', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(chain, fc.boolean())), chain, (prompts, asked) => {
      const inFlight = new PromptsInFlight();
      for (const [added] of prompts) inFlight.add(added);
      for (const [removed, isOver] of prompts) if (isOver) inFlight.remove(removed);
      const left = prompts.flatMap(([added, isOver]) => (isOver ? [] : [added]));
      const shared = left.map((other) => asked.filter((hash, i) => other[i] === hash).length);
      assert.equal(inFlight.leadingBlocks(asked), Math.max(0, ...shared));
    }),
  );
});
