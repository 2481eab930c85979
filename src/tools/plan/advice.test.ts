import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { adviceOn, breakEvenSets, type OffloadFigures } from './advice.ts';
import type { Estimate, Gain, Scenario } from './scenario.ts';

const exactly = (value: number): Estimate => ({ mean: value, low: value, high: value });
const gain = (mean: number, ttft = 0): Gain => ({
  ...{ of: 'the offload', over: 'none' },
  ...{ throughput: exactly(mean), ttft: exactly(ttft) },
});
const scenario = (throughput: number, hitRate: number) =>
  ({
    ...{ throughput: exactly(throughput), ttftMs: exactly(400), hitRate: exactly(hitRate) },
  }) as Scenario;

const figures: OffloadFigures = {
  gains: { native: gain(-0.015), lmcache: gain(-0.045) },
  overPlan: { none: gain(0.047), native: gain(0.03), lmcache: gain(0) },
  scenarios: {
    none: scenario(5000, 0.001),
    native: scenario(4900, 0.002),
    lmcache: scenario(4775, 0.002),
  },
  ...{ offloadGiB: 172, workingSet: 6.55, hostShareOfSet: 0.07 },
};

test('an offload is not advised if the working set is too small, and the advice has figures and the break-even', () => {
  const advice = adviceOn({ kvOffload: 'lmcache' }, { ...figures, workingSet: 0.4 });
  assert.equal(advice?.kvOffload, 'none');
  assert.match(
    advice?.because ?? '',
    /^no offload gives 5,000 instead of 4,775 output tokens\/s \(\+4\.7 % .* 172 GiB of host memory per engine stay free/,
  );
  assert.match(
    advice?.because ?? '',
    /the working set is 40 % of HBM's KV cache, and offload begins to pay at about 54 % \(native\) and 56 % \(LMCache\)/,
  );
});

test('the advice on a set far beyond HBM does not name the break-even', () => {
  const { because = '' } = adviceOn({ kvOffload: 'lmcache' }, figures) ?? {};
  assert.match(because, /the working set is 655 %/);
  assert.match(because, /0.2 % .*compared with 0.1 % without.*host memory holds 7 % of the set/);
  assert.doesNotMatch(because, /begins to pay/);
});

test('a tier with many hits and no gain is explained by its read speed', () => {
  const scenarios = {
    ...figures.scenarios,
    none: scenario(5000, 0.1),
    native: scenario(4900, 0.5),
  };
  const { because = '' } = adviceOn({ kvOffload: 'native' }, { ...figures, scenarios }) ?? {};
  assert.match(
    because,
    /50 % .*compared with 10 % without it, but reading them saves no more than it costs/,
  );
});

test('an offload that gains throughput or TTFT is advised', () => {
  for (const native of [gain(0.05), gain(0, -0.2)]) {
    const gains = { ...figures.gains, native };
    const overPlan = { ...figures.overPlan, none: gain(-0.05) };
    assert.equal(adviceOn({ kvOffload: 'native' }, { ...figures, gains, overPlan }), undefined);
  }
});

test('native wins over an LMCache that pays less, and no offload loses to a tier that surely gains', () => {
  const gains = { native: gain(0.2), lmcache: gain(0.05) };
  const overPlan = { none: gain(-0.05), native: gain(0.14), lmcache: gain(0) };
  assert.equal(
    adviceOn({ kvOffload: 'lmcache' }, { ...figures, gains, overPlan })?.kvOffload,
    'native',
  );
  assert.equal(adviceOn({ kvOffload: 'none' }, { ...figures, gains })?.kvOffload, 'native');
  assert.equal(adviceOn({ kvOffload: 'none' }, figures), undefined);
});

test('the break-evens in the text are those of the sweep in the guide', () => {
  const guide = readFileSync('docs/guide/kv-offload.md', 'utf8').replaceAll('\n', ' ');
  const [, native, lmcache] =
    /Native offload pays from a working set of ([\d.]+) × HBM, LMCache from ([\d.]+)/.exec(guide) ??
    [];
  assert.deepEqual(
    [Number(native), Number(lmcache)],
    [breakEvenSets.native, breakEvenSets.lmcache],
  );
});
