// A step while it is planned.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Sequence } from './sequence.ts';
import { StepPlan } from './step-plan.ts';

function sequenceOf(id: string): Sequence {
  const request = { id, promptTokens: 100, maxTokens: 1, priority: 0, arrivalSeconds: 0 };
  return new Sequence({ ...request, blockKey: () => 0 });
}

test('a preempted sequence gives its tokens back to the step', () => {
  const plan = new StepPlan({ tokensMax: 64, requestTokensMax: 40 }, []);
  const [a, b, c] = [sequenceOf('a'), sequenceOf('b'), sequenceOf('c')];
  plan.add(a, 40);
  plan.add(b, 10);
  assert.equal(plan.budget, 14);
  assert.equal(plan.remove(a), true);
  assert.deepEqual([plan.budget, plan.sequences, plan.tokens], [54, [b], [10]]);
  assert.equal(plan.remove(c), false, 'it was not scheduled');
  assert.equal(plan.budget, 54);
});

test('one request gets a limited part of the step', () => {
  const plan = new StepPlan({ tokensMax: 64, requestTokensMax: 40 }, []);
  assert.deepEqual([plan.chunk(39), plan.chunk(41)], [39, 40]);
});

test('preemptions of this plan are told from those of earlier plans that stayed empty', () => {
  const earlier = [sequenceOf('a').request];
  const plan = new StepPlan({ tokensMax: 64, requestTokensMax: 64 }, earlier);
  assert.equal(plan.hasPreempted, false);
  plan.preempted.push(sequenceOf('b').request);
  assert.equal(plan.hasPreempted, true);
});
