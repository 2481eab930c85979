import assert from 'node:assert/strict';
import { test } from 'node:test';
import { disagreementOf } from './disagreement.ts';
import type { Gain } from './plan.ts';

const gain = (mean: number, ttft = 0): Gain => ({
  ...{ of: 'the offload', over: 'none' },
  throughput: { mean, low: mean, high: mean },
  ttft: { mean: ttft, low: ttft, high: ttft },
});

const figures = {
  gains: { native: gain(-0.015), lmcache: gain(-0.045) },
  hitRates: { none: 0.001, native: 0.002, lmcache: 0.002 },
  ...{ workingSet: 6.55, hostShareOfSet: 0.07 },
};

test('an offload that does not pay since the set fits would pay with a larger set', () => {
  const line = disagreementOf({ kvOffload: 'lmcache' }, { ...figures, workingSet: 0.4 }) ?? '';
  assert.match(line, /since the working set is 40 % .*once the set is well beyond 100 %/);
});

test('a set far beyond HBM is not told to grow beyond HBM', () => {
  const line = disagreementOf({ kvOffload: 'lmcache' }, figures) ?? '';
  assert.match(line, /−4.5 % tokens.*although the working set is 655 %/);
  assert.match(line, /0.2 % .*for 0.1 % without.*host memory holds 7 % of the set/);
  assert.doesNotMatch(line, /beyond 100/);
});

test('a tier that finds much and gains nothing reads no faster than the engine computes', () => {
  const hitRates = { none: 0.1, native: 0.5, lmcache: 0.6 };
  const line = disagreementOf({ kvOffload: 'native' }, { ...figures, hitRates }) ?? '';
  assert.match(line, /50 % .*for 10 % without, but reading them saves no more than it costs/);
});

test('an offload that pays, in tokens or in the wait for the first, is no disagreement', () => {
  for (const native of [gain(0.05), gain(0, -0.2)]) {
    const gains = { ...figures.gains, native };
    assert.equal(disagreementOf({ kvOffload: 'native' }, { ...figures, gains }), undefined);
  }
});
