import assert from 'node:assert/strict';
import { test } from 'node:test';
import { planStanding } from './plan-standing.ts';

const planned = { mean: 0.5, low: 0.4, high: 0.6 };

test('a figure within the interval is as planned, its ends included', () => {
  for (const measured of [0.4, 0.5, 0.6]) {
    assert.deepEqual(planStanding('ttftSeconds', planned, measured), {
      ...{ words: 'as planned', isWorse: false },
    });
  }
});

test('a latency above the interval is worse, one below it is not', () => {
  assert.deepEqual(planStanding('ttftSeconds', planned, 0.7), { words: 'above', isWorse: true });
  assert.deepEqual(planStanding('tpotSeconds', planned, 0.1), { words: 'below', isWorse: false });
});

test('a hit rate or a number of engines below the interval is worse', () => {
  assert.equal(planStanding('hitRate', planned, 0.1).isWorse, true);
  assert.equal(planStanding('engines', planned, 0.1).isWorse, true);
  assert.equal(planStanding('hitRate', planned, 0.9).isWorse, false);
});

test('a throughput below the plan is no fault: there may be less load', () => {
  assert.deepEqual(planStanding('tokensPerSecond', planned, 0.1), {
    ...{ words: 'below', isWorse: false },
  });
});

test('nothing is said without a plan or a measurement', () => {
  assert.equal(planStanding('ttftSeconds', null, 1).words, '');
  assert.equal(planStanding('ttftSeconds', planned, null).words, '');
});
