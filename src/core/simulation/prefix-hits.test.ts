// Prefix hits of traces small enough to count by hand.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TraceRequest } from '../traces/index.ts';
import { type PrefixHitOptions, prefixHits } from './prefix-hits.ts';

/** Requests by the ids of their prompts' blocks; each block is full unless `promptTokens` says so. */
function served(
  prompts: readonly (readonly number[])[],
  options: Partial<PrefixHitOptions> = {},
  promptTokens = (blockIds: readonly number[]) => blockIds.length * 10,
) {
  const requests: TraceRequest[] = prompts.map((blockIds, arrivalSeconds) => ({
    arrivalSeconds,
    promptTokens: promptTokens(blockIds),
    outputTokens: 1,
    blockIds,
  }));
  return prefixHits(requests, { blockTokens: 10, blocksMax: Infinity, engines: 1, ...options });
}

test('a prompt hits the leading blocks that an earlier one left, in blocks and in tokens', () => {
  const hits = served([
    [1, 2, 3],
    [1, 2, 4],
    [5, 2, 3],
  ]);
  assert.deepEqual(hits, {
    blockHit: 2 / 9,
    tokenHit: 20 / 90,
    deviceTokenHit: 20 / 90,
    spread: 1,
  });
});

test('a partial last block counts as one block, with the tokens that the prompt has', () => {
  const hits = served(
    [
      [1, 2],
      [1, 2],
    ],
    {},
    () => 13,
  );
  assert.equal(hits.blockHit, 0.5);
  assert.equal(hits.tokenHit, 0.5);
  assert.equal(hits.deviceTokenHit, 0.5);
});

test('round-robin engines do not share a cache, and the spread compares the busiest with the mean', () => {
  const prompts = [[1, 2, 3], [4], [1, 2, 3], [5]];
  const hits = served(prompts, { engines: 2 });
  assert.equal(hits.blockHit, 3 / 8);
  // The first engine computed 30 tokens, the second 20.
  assert.equal(hits.spread, 30 / 25);
});

test('engines that computed nothing are evenly loaded', () => {
  assert.equal(served([]).spread, 1);
});

test('under prefix-load a prompt is sent to the engine that caches it, and a new one to the least loaded', () => {
  const prompts = [[1, 2, 3, 4], [5, 6], [1, 2, 3, 4], [5, 6], [7]];
  const hits = served(prompts, { engines: 2, policy: 'prefix-load' });
  assert.equal(hits.blockHit, 6 / 13);
  // 40 tokens on the first engine; 20 and the new 10 on the second.
  assert.equal(hits.spread, 40 / 35);
});

test('if the load outweighs the cached share, the prompt is recomputed on another engine', () => {
  // Half of the last prompt is cached on the engine that has computed everything.
  const hits = served(
    [
      [1, 2],
      [1, 2, 3, 4],
    ],
    { engines: 2, policy: 'prefix-load' },
  );
  assert.equal(hits.blockHit, 0);
});

test('a tier below finds what its engine evicted, and reports it separately from the engine’s own hits', () => {
  const prompts = [
    [1, 2],
    [3, 4],
    [1, 2],
  ];
  assert.equal(served(prompts, { blocksMax: 2 }).tokenHit, 0);
  const tiered = served(prompts, { blocksMax: 2, cpuBlocksMax: 4 });
  assert.equal(tiered.tokenHit, 20 / 60);
  assert.equal(tiered.deviceTokenHit, 0);
});

test('a hit continues through blocks of either the engine or its tier, up to the first that both lack', () => {
  // The engine keeps 1 and 2 alone; the tier has all four, but nobody has 9.
  const prompts = [
    [1, 2, 3, 4],
    [1, 2],
    [1, 2, 3, 9, 4],
  ];
  const hits = served(prompts, { blocksMax: 2, cpuBlocksMax: 9 });
  assert.equal(hits.tokenHit, (20 + 30) / 110);
  assert.equal(hits.deviceTokenHit, (20 + 20) / 110);
});

test('each engine has its own tier unless the tiers are pooled, which keeps their total size', () => {
  const prompts = [[1, 2], [3], [4], [1, 2]];
  const own = { engines: 2, blocksMax: 1, cpuBlocksMax: 2 };
  assert.equal(served(prompts, own).tokenHit, 0);
  // Four blocks for both engines: 1, 2, 3 and 4 are all there.
  assert.equal(served(prompts, { ...own, pooled: true }).tokenHit, 20 / 60);
  assert.equal(served(prompts, { ...own, cpuBlocksMax: 1, pooled: true }).tokenHit, 0);
});
