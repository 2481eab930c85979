import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RequestRate } from './request-rate.ts';

test('the rate is the average over the last five seconds', () => {
  const rate = new RequestRate(100);
  assert.equal(rate.perSecond(0, 100), 0);
  assert.equal(rate.perSecond(20, 102), 10);
  for (let second = 3; second <= 20; second++) rate.perSecond(20, 100 + second);
  assert.equal(rate.perSecond(20, 121), 0);
  assert.equal(rate.perSecond(70, 122), 10);
});

test('after a long silence of the looker the rate is the average since the last look', () => {
  const rate = new RequestRate(0);
  rate.perSecond(0, 1);
  assert.equal(rate.perSecond(500, 51), 10);
});
