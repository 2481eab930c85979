import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Decodes, type Decoding } from './decodes.ts';

interface Plain extends Decoding {
  readonly name: number;
}

const action = fc.oneof(
  fc.record({ begin: fc.integer({ min: 1, max: 6 }), computed: fc.nat(50) }),
  fc.record({ advance: fc.integer({ min: 1, max: 4 }) }),
  fc.constant('preempt' as const),
);

test('sums, the next end and the requests that leave match those of a plain list of requests', () => {
  fc.assert(
    fc.property(fc.array(action, { maxLength: 40 }), (actions) => {
      const decodes = new Decodes<Plain>();
      let list: Plain[] = [];
      for (const [name, does] of actions.entries()) {
        if (does === 'preempt') {
          assert.deepEqual(decodes.takeYoungest(), list.pop());
        } else if ('begin' in does) {
          const request = { name, computed: does.computed, generated: 1, output: 1 + does.begin };
          list.push({ ...request });
          decodes.begin(request);
        } else {
          const steps = Math.min(does.advance, decodes.stepsLeft);
          decodes.advance(steps);
          for (const request of list) {
            request.computed += steps;
            request.generated += steps;
          }
          for (const ended of list.filter(({ generated, output }) => generated >= output)) {
            assert.deepEqual(decodes.takeEnded(), ended);
          }
          assert.equal(decodes.takeEnded(), undefined);
          list = list.filter(({ generated, output }) => generated < output);
        }
        assert.equal(decodes.count, list.length);
        assert.equal(
          decodes.tokens,
          list.reduce((sum, { computed }) => sum + computed, 0),
        );
        assert.equal(
          decodes.stepsLeft,
          list.reduce((least, r) => Math.min(least, r.output - r.generated), Infinity),
        );
      }
    }),
  );
});
