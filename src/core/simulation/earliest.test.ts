import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Earliest } from './earliest.ts';

test('the smallest time is found, and among equal ones that with the lowest index', () => {
  const change = fc.record({ index: fc.nat(12), seconds: fc.constantFrom(0, 1, 2, 3, Infinity) });
  fc.assert(
    fc.property(fc.array(change, { maxLength: 60 }), (changes) => {
      const earliest = new Earliest(13);
      const times = new Array<number>(13).fill(Infinity);
      for (const { index, seconds } of changes) {
        earliest.set(index, seconds);
        times[index] = seconds;
        const least = Math.min(...times);
        assert.equal(earliest.seconds, least);
        if (least < Infinity) assert.equal(earliest.index, times.indexOf(least));
      }
    }),
  );
});
