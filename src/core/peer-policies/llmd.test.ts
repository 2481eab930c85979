import assert from 'node:assert/strict';
import { test } from 'node:test';
import { engine, promptOf, send } from '../../../test/support/peer-fleet.ts';
import { seededRandom } from '../base/index.ts';
import { createBlockHasher, KvEventLog, KvIndex, KvSequence } from '../kv/index.ts';
import type { RoutingRequest } from '../routing/index.ts';
import { createPeerPolicy } from './index.ts';
import { LlmdTieredPolicy } from './llmd-tiered.ts';

const make = (name: string, kvIndex = new KvIndex()) =>
  createPeerPolicy(name, {
    random: seededRandom(1),
    kvIndex,
    parameters: { peakTokensPerSecond: 10_000 },
  });

const near = (actual: readonly number[] | undefined, expected: readonly number[]) => {
  assert.equal(actual?.length, expected.length);
  for (const [i, x] of expected.entries()) {
    assert.ok(Math.abs((actual?.[i] ?? Number.NaN) - x) < 0.01, `${actual} for ${expected}`);
  }
};

for (const [name, expected, winner] of [
  // a holds half of the prompt, waits most and is full to .8; b waits least; c is empty of KV.
  ['llmd-111-approximate', [0.5 + 0 + 0.2, 0 + 1 + 0.5, 0 + 0.75 + 1], 'c'],
  ['llmd-322-approximate', [1.5 + 0 + 0.4, 0 + 2 + 1, 0 + 1.5 + 2], 'c'],
] as const) {
  test(`${name}: the score is the weighted sum of prefix share, queue and free KV`, () => {
    const policy = make(name);
    const a = engine('a', {}, { waiting: 8, kvUsage: 0.8 });
    const b = engine('b', {}, { waiting: 0, kvUsage: 0.5 });
    const c = engine('c', {}, { waiting: 2, kvUsage: 0 });
    send(policy, promptOf('xyuv'), a);
    const pick = policy.pick(promptOf('xypq'), [a, b, c], 1);
    near(pick.scores, expected);
    assert.equal(pick.endpoint.url, winner);
  });
}

test('the weights decide: 3:2:2 keeps a warm engine with a queue that 1:1:1 leaves', () => {
  for (const [name, winner] of [
    ['llmd-111-approximate', 'cold'],
    ['llmd-322-approximate', 'warm'],
  ] as const) {
    const policy = make(name);
    const warm = engine('warm', {}, { waiting: 5, kvUsage: 0.3 });
    const cold = engine('cold', {}, { waiting: 0, kvUsage: 0.2 });
    send(policy, promptOf('abcd'), warm);
    // 1 + 0 + .7 against 0 + 1 + .8, and 3 + 0 + 1.4 against 0 + 2 + 1.6.
    assert.equal(policy.pick(promptOf('abcd'), [warm, cold], 1).endpoint.url, winner);
  }
});

test('llm-d does not count requests sent since the last report', () => {
  const policy = make('llmd-111-approximate');
  const busy = engine('busy', { inflight: 50, prefillTokens: 90_000 }, { waiting: 0 });
  const idle = engine('idle', {}, { waiting: 0 });
  near(policy.pick(promptOf('a'), [busy, idle], 0).scores, [2, 2]);
});

test('the precise index relies on events, and for two seconds on its own picks', () => {
  const kvIndex = new KvIndex();
  const policy = make('llmd-111-precise', kvIndex);
  const tokens = Uint32Array.from({ length: 256 }, (_, i) => i + 1);
  const request = promptOf('abcd', { tokens });
  const [a, b] = [engine('a'), engine('b')];
  const prefixScores = (nowSeconds: number) =>
    policy.pick(request, [a, b], nowSeconds).scores?.map((score) => score - 2);
  send(policy, request, a, 0);
  near(prefixScores(1.9), [1, 0]);
  near(prefixScores(2.1), [0, 0]);
  const log = new KvEventLog();
  const hasher = createBlockHasher();
  log.blocksStored(new KvSequence(hasher, 64, tokens), 0, 2);
  kvIndex.apply('b', log.take());
  near(prefixScores(3), [0, 0.5]);
});

for (const [heldBlocks, stickyTokens, otherTokens, winner, why] of [
  [8, 100_000, 0, 'warm', 'ten seconds behind is not saturated'],
  [8, 180_000, 0, 'warm', 'T_max itself is not saturated'],
  [8, 190_000, 0, 'cold', 'nineteen seconds behind is'],
  [8, 300_000, 200_000, 'warm', 'it is the distance to the others that counts'],
  [7, 1000, 0, 'cold', 'below .8 of the prompt nobody is sticky'],
] as const) {
  test(`llmd-sticky: ${why}`, () => {
    const policy = make('llmd-sticky-approximate');
    const warm = engine('warm', { prefillTokens: stickyTokens });
    const cold = engine('cold', { prefillTokens: otherTokens });
    send(policy, promptOf('abcdefghij'.slice(0, heldBlocks)), warm);
    assert.equal(policy.pick(promptOf('abcdefghij'), [warm, cold], 1).endpoint.url, winner);
  });
}

test('llmd-sticky: among several sticky engines, the one with less prefill wins', () => {
  const policy = make('llmd-sticky-approximate');
  const engines = [300, 200, 0].map((prefillTokens, i) => engine(`e${i}`, { prefillTokens }));
  for (const warm of engines.slice(0, 2)) send(policy, promptOf('abcd'), warm);
  const pick = policy.pick(promptOf('abcd'), engines, 1);
  assert.equal(pick.endpoint.url, 'e1');
  near(pick.scores, [1 - 301 / 4_194_304, 1 - 201 / 4_194_304, 0]);
});

test('llm-d’s tiered guide: only the first 16 KiB of prompts count, so too much is assumed to be cached', () => {
  // 256 hashes of 64 bytes are looked at, and there are hashes for eight times as many.
  const policy = new LlmdTieredPolicy({ random: seededRandom(1), hbmBlocks: 8 * 256 });
  const [a, b] = [engine('a'), engine('b')];
  const prompts = [...'abcdefgh'].map((letter) => promptOf(letter.repeat(100)));
  for (const prompt of prompts) send(policy, prompt, a);
  for (const prompt of prompts) near(policy.pick(prompt, [a, b]).scores, [4 + 3, 4]);
  send(policy, promptOf('i'.repeat(100)), a);
  near(policy.pick(prompts[0] as RoutingRequest, [a, b]).scores, [4, 4]);
});

test('llm-d’s tiered guide: with host memory there are two prefix scorers, each with a weight of one', () => {
  const policy = new LlmdTieredPolicy({ random: seededRandom(1), hbmBlocks: 256, hostBlocks: 512 });
  const a = engine('a', {}, { waiting: 1 });
  const b = engine('b', {}, { waiting: 0, kvUsage: 0.5 });
  const prompt = promptOf('a'.repeat(64));
  send(policy, prompt, a);
  near(policy.pick(prompt, [a, b]).scores, [0 + 2 + 1 + 1, 2 + 1]);
  send(policy, promptOf('b'.repeat(64)), a);
  near(policy.pick(prompt, [a, b]).scores, [0 + 2 + 0 + 1, 2 + 1]);
});
