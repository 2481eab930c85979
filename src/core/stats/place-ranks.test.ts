import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { seededRandom } from '../base/index.ts';
import { placeRanks } from './place-ranks.ts';

test('ranks have the values of a full sort, for any order of the numbers', () => {
  const shapes = {
    random: (count: number, random: () => number) => Array.from({ length: count }, random),
    fewValues: (count: number, random: () => number) =>
      Array.from({ length: count }, () => Math.floor(4 * random())),
    ascending: (count: number) => Array.from({ length: count }, (_, i) => i),
    upAndDown: (count: number) => Array.from({ length: count }, (_, i) => Math.min(i, count - i)),
  };
  fc.assert(
    fc.property(
      fc.constantFrom(...Object.values(shapes)),
      fc.integer({ min: 1, max: 30_000 }),
      fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 6 }),
      fc.integer({ min: 1, max: 1000 }),
      (shape, count, shares, seed) => {
        const random = seededRandom(seed);
        const values = Float64Array.from(shape(count, () => random.next()));
        const sorted = values.slice().sort();
        const ranks = shares.map((share) => Math.floor(share * (count - 1))).sort((a, b) => a - b);
        placeRanks(values, ranks);
        for (const rank of ranks) assert.equal(values[rank], sorted[rank]);
        assert.deepEqual(values.sort(), sorted, 'and none is lost');
      },
    ),
    { numRuns: 60 },
  );
});
