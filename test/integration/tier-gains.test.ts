// What offload gained in published experiments, in sign, size and shape, in the simulator: the 16 × H100
// experiment of llm-d's guide (bench/truth/tier-experiment.ts), in blocks of 64 tokens and in half of its
// requests for speed.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { playTierExperiment, type TierExperiment } from '../../bench/truth/tier-experiment.ts';

const play = (options: Partial<TierExperiment>) =>
  playTierExperiment({ system: 30_000, kind: 'none', requests: 1350, blockSize: 64, ...options });
const rate = (options: Partial<TierExperiment>) => play(options).tokensPerSecond;
const gain = (options: Partial<TierExperiment>) =>
  rate({ kind: 'native', ...options }) / rate({ ...options, kind: 'none' }) - 1;

const without = play({});
const native = play({ kind: 'native' });
const nativeGain = native.tokensPerSecond / without.tokensPerSecond - 1;

test('without offload it is within a tenth of what was published, TTFT within a fifth in a few runs', () => {
  // A run ends up to a fifth apart from the next in TTFT.
  const runs = [without, play({ seed: 2 }), play({ seed: 3 })];
  const meanOf = (key: 'ttftSeconds' | 'e2eSeconds' | 'tokensPerSecond') =>
    runs.reduce((sum, run) => sum + run[key], 0) / runs.length;
  const near = (ours: number, theirs: number, share: number, what: string) =>
    assert.ok(Math.abs(ours / theirs - 1) < share, `${what} ${ours}, published ${theirs}`);
  near(meanOf('e2eSeconds'), 37.8, 0.1, 'E2E');
  near(meanOf('tokensPerSecond'), 38_534.8, 0.1, 'tok/s');
  near(meanOf('ttftSeconds'), 9, 0.2, 'TTFT');
});

test('a working set beyond HBM: native offload and LMCache gain about as much as published', () => {
  assert.ok(nativeGain > 0.12 && nativeGain < 0.32, `native ${nativeGain}, published 0.213`);
  const lmcache = play({ kind: 'lmcache' });
  const lmcacheGain = lmcache.tokensPerSecond / without.tokensPerSecond - 1;
  assert.ok(lmcacheGain > 0.12 && lmcacheGain < 0.35, `LMCache ${lmcacheGain}, published 0.217`);
  for (const { ttftSeconds, e2eSeconds } of [native, lmcache]) {
    assert.ok(ttftSeconds < without.ttftSeconds && e2eSeconds < without.e2eSeconds);
  }
});

test('a working set within HBM gains nothing, and loses a little to what each step costs', () => {
  const fits = { system: 8000 };
  const base = play(fits);
  assert.ok(Math.abs(base.tokensPerSecond / 23_389.6 - 1) < 0.1, `${base.tokensPerSecond} tok/s`);
  for (const kind of ['native', 'lmcache'] as const) {
    const { tokensPerSecond, e2eSeconds } = play({ ...fits, kind });
    const change = tokensPerSecond / base.tokensPerSecond - 1;
    assert.ok(change > -0.05 && change < 0.01, `${kind} ${change}`);
    assert.ok(e2eSeconds > 0.99 * base.e2eSeconds);
  }
});

test('host memory no larger than HBM gains next to nothing', () => {
  const little = rate({ kind: 'native', hostBlocks: 9271 }) / without.tokensPerSecond - 1;
  assert.ok(little < nativeGain / 2, `${little} of ${nativeGain}`);
});

test('the gain rises with the load', () => {
  assert.ok(gain({ clients: 8, requests: 450 }) < nativeGain);
});

test('the gain rises with the prompts, and so with the working set', () => {
  const short = gain({ system: 14_000 });
  assert.ok(short < nativeGain / 2, `${short} of 14,000 tokens, ${nativeGain} of 30,000`);
});

test('without offload more clients than fit add nothing but waiting: the knee', () => {
  const few = play({ clients: 24, requests: 900 });
  const perClient = (outcome: typeof few, clients: number) => outcome.tokensPerSecond / clients;
  assert.ok(perClient(few, 24) > 1.15 * perClient(without, 45));
  assert.ok(without.ttftSeconds > 1.8 * few.ttftSeconds);
});

test('a tier slower than computing makes the first token later', () => {
  const slow = play({ kind: 'native', hostBytesPerSecond: 0.1e9, requests: 900 });
  const base = play({ requests: 900 });
  assert.ok(slow.ttftSeconds > 1.1 * base.ttftSeconds, `${slow.ttftSeconds} s`);
});
