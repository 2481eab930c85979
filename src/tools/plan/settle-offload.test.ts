import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { breakEvenSets } from '../../core/plan/index.ts';
import type { Estimate, Gain } from './scenario.ts';
import { type OffloadFigures, settleOffload } from './settle-offload.ts';

const exactly = (value: number): Estimate => ({ mean: value, low: value, high: value });
const gain = (mean: number, ttft = 0): Gain => ({
  ...{ of: 'the offload', over: 'none' },
  ...{ throughput: exactly(mean), ttft: exactly(ttft) },
});
const run = (throughput: number, hitRate: number) => ({ throughput, ttftMs: 400, hitRate });
const byRules = (kvOffload: 'none' | 'native' | 'lmcache') => ({
  ...{ kvOffload, kvOffloadBecause: 'the reason of the rules' },
});

/** A set far beyond HBM, of which a tier finds nothing that HBM has lost. */
const figures: OffloadFigures = {
  gains: { native: gain(-0.015), lmcache: gain(-0.045) },
  nativeOverLmcache: gain(0.03),
  runs: { none: run(5000, 0.001), native: run(4900, 0.002), lmcache: run(4775, 0.002) },
  ...{ offloadGiB: 172, workingSet: 6.55, hostShareOfSet: 0.07, sharesPrefixes: true },
};

test('no offload of the rules stays', () => {
  assert.deepEqual(settleOffload(byRules('none'), figures), {
    ...{ kvOffload: 'none', because: 'the reason of the rules', disagreement: undefined },
  });
});

test('a tier that does not pay is left out, with figures, the reason and what the rules say', () => {
  const { kvOffload, because, disagreement } = settleOffload(byRules('lmcache'), figures);
  assert.equal(kvOffload, 'none');
  assert.match(
    because,
    /^no offload gives 5,000 instead of 4,775 output tokens\/s \(\+4\.7 % .* 172 GiB of host memory per engine stay free/,
  );
  assert.match(because, /the working set is 655 %/);
  assert.match(because, /0\.2 % .*compared with 0\.1 % without.*host memory holds 7 % of the set/);
  assert.equal(
    disagreement,
    'by the rules alone it would be LMCache (the reason of the rules); the simulated fleets decide for no offload',
  );
});

test('a tier for prompts that do not come back is explained by that', () => {
  const { because } = settleOffload(byRules('native'), { ...figures, sharesPrefixes: false });
  assert.match(
    because,
    /no prompt comes back, so a tier could only give back what preemption takes/,
  );
});

test('a tier with many hits and no gain within HBM is explained by its read speed', () => {
  const runs = { ...figures.runs, none: run(5000, 0.1), native: run(4900, 0.5) };
  const options = { ...figures, runs, workingSet: 0.9, hostShareOfSet: 1 };
  const { kvOffload, because } = settleOffload(byRules('native'), options);
  assert.equal(kvOffload, 'none');
  assert.match(
    because,
    /50 % .*compared with 10 % without it, but reading them saves no more than it costs/,
  );
});

test('for a shared set beyond HBM whose losses a tier finds, measurements outweigh the simulation', () => {
  const runs = { ...figures.runs, none: run(5000, 0.6), lmcache: run(4990, 0.95) };
  const beyond = { ...figures, runs, workingSet: 1.8, hostShareOfSet: 1 };
  const { kvOffload, because, disagreement = '' } = settleOffload(byRules('lmcache'), beyond);
  assert.deepEqual([kvOffload, because], ['lmcache', 'the reason of the rules']);
  assert.match(disagreement, /95 % of the prompt tokens are found, compared with 60 % without it/);
  assert.match(
    disagreement,
    /gained \+21 % to \+186 %, where the same simulation gives \+3 % and \+43 %/,
  );
  for (const unlike of [
    { workingSet: 0.9 },
    { hostShareOfSet: 0.5 },
    { sharesPrefixes: false },
    { runs: { ...runs, lmcache: run(4990, 0.62) } },
  ]) {
    assert.equal(settleOffload(byRules('lmcache'), { ...beyond, ...unlike }).kvOffload, 'none');
  }
});

test('a tier that gains throughput, or TTFT at no loss of throughput, is taken', () => {
  for (const native of [gain(0.05), gain(0, -0.2)]) {
    const gains = { ...figures.gains, native };
    const { kvOffload, because, disagreement } = settleOffload(byRules('native'), {
      ...{ ...figures, gains },
    });
    assert.deepEqual([kvOffload, disagreement], ['native', undefined]);
    assert.match(because, /^the reason of the rules; simulated, /);
  }
  const gains = { ...figures.gains, native: gain(-0.04, -0.2) };
  assert.equal(settleOffload(byRules('native'), { ...figures, gains }).kvOffload, 'none');
});

test('native offload replaces an LMCache that pays less or not at all', () => {
  for (const lmcache of [gain(0.05), gain(-0.02)]) {
    const options = {
      ...{ ...figures, gains: { native: gain(0.2), lmcache } },
      nativeOverLmcache: gain(0.14),
    };
    const { kvOffload, disagreement = '' } = settleOffload(byRules('lmcache'), options);
    assert.equal(kvOffload, 'native');
    assert.match(disagreement, /by the rules alone it would be LMCache/);
  }
  const even = { ...figures, gains: { native: gain(0.2), lmcache: gain(0.2) } };
  const { kvOffload } = settleOffload(byRules('lmcache'), { ...even, nativeOverLmcache: gain(0) });
  assert.equal(kvOffload, 'lmcache');
});

test('the break-evens of the rules are those of the sweep in the guide', () => {
  const guide = readFileSync('docs/guide/kv-offload.md', 'utf8').replaceAll('\n', ' ');
  const [, native, lmcache] =
    /Native offload pays from a working set of ([\d.]+) × HBM, LMCache from ([\d.]+)/.exec(guide) ??
    [];
  assert.deepEqual(
    [Number(native), Number(lmcache)],
    [breakEvenSets.native, breakEvenSets.lmcache],
  );
});
