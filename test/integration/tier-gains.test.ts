// What offload gained in published experiments, in sign and shape, in the simulator: the 16 × H100
// experiment of llm-d's guide (bench/truth/tier-experiment.ts), in blocks of 64 tokens for speed.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { playTierExperiment, type TierExperiment } from '../../bench/truth/tier-experiment.ts';

const play = (options: Partial<TierExperiment>) =>
  playTierExperiment({ system: 30_000, kind: 'none', passes: 2, blockSize: 64, ...options });
const rate = (options: Partial<TierExperiment>) => play(options).tokensPerSecond;

const without = play({});
const native = play({ kind: 'native' });

test('a working set beyond HBM: native offload and LMCache gain about as much as published', () => {
  const gain = native.tokensPerSecond / without.tokensPerSecond - 1;
  assert.ok(gain > 0.12 && gain < 0.32, `native ${gain}, published 0.213`);
  const lmcache = rate({ kind: 'lmcache' }) / without.tokensPerSecond - 1;
  assert.ok(lmcache > 0.12 && lmcache < 0.32, `LMCache ${lmcache}, published 0.217`);
  assert.ok(native.ttftSeconds < without.ttftSeconds && native.e2eSeconds < without.e2eSeconds);
});

test('without offload it is within a tenth of what was published, TTFT apart', () => {
  assert.ok(Math.abs(without.e2eSeconds / 37.8 - 1) < 0.1, `E2E ${without.e2eSeconds} s`);
  const gap = without.tokensPerSecond / 38_534.8 - 1;
  assert.ok(Math.abs(gap) < 0.1, `${without.tokensPerSecond} tok/s`);
});

test('a working set within HBM gains nothing, or loses a little', () => {
  const fits = { system: 8000 };
  const base = rate(fits);
  assert.ok(Math.abs(base / 23_389.6 - 1) < 0.1, `${base} tok/s`);
  for (const kind of ['native', 'lmcache'] as const) {
    const gain = rate({ ...fits, kind }) / base - 1;
    assert.ok(gain > -0.05 && gain < 0.02, `${kind} ${gain}`);
  }
});

test('host memory no larger than HBM gains next to nothing', () => {
  const gain = rate({ kind: 'native', hostBlocks: 9271 }) / without.tokensPerSecond - 1;
  const whole = native.tokensPerSecond / without.tokensPerSecond - 1;
  assert.ok(gain < whole / 2, `${gain} of ${whole}`);
});

test('the gain rises with the load', () => {
  const gainAt = (clients: number) =>
    rate({ kind: 'native', clients, passes: 1 }) / rate({ clients, passes: 1 }) - 1;
  assert.ok(gainAt(8) < native.tokensPerSecond / without.tokensPerSecond - 1);
});
