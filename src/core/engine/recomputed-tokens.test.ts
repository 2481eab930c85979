// Tokens that an engine computes again, and for how long evicted blocks are remembered.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RecomputedTokens } from './recomputed-tokens.ts';
import { Sequence } from './sequence.ts';

/** A prompt of three blocks of 16 tokens and a bit. */
function promptOf(text: string, foundTokens = 0): Sequence {
  const request = { id: text, promptTokens: 50, maxTokens: 1, priority: 0, arrivalSeconds: 0 };
  const sequence = new Sequence({ ...request, blockKey: (index) => `${text}/${index}` });
  sequence.foundTokens = foundTokens;
  return sequence;
}

function countsOf(numGpuBlocks: number) {
  const counts = new RecomputedTokens({ blockSize: 16, numGpuBlocks });
  /** Evicts that many blocks of prompts that never come back. */
  const evictOthers = (count: number) => {
    for (let i = 0; i < count; i++) counts.evicted(`other/${i}`);
  };
  return { counts, evictOthers };
}

test('whole blocks of a prompt that were cached once and evicted count as computed again', () => {
  const { counts } = countsOf(100);
  counts.started(promptOf('a'));
  assert.equal(counts.afterEviction, 0, 'the first time');
  for (const index of [0, 1, 2]) counts.evicted(`a/${index}`);
  counts.started(promptOf('a'));
  assert.equal(counts.afterEviction, 3 * 16);
  counts.started(promptOf('a', 32));
  assert.equal(counts.afterEviction, 3 * 16 + 16, 'two blocks were found in the cache');
});

test('even of the largest cache, only the last quarter of a million blocks is remembered', () => {
  const { counts, evictOthers } = countsOf(1_000_000);
  const half = 2 ** 17;
  for (const index of [0, 1, 2]) counts.evicted(`a/${index}`);
  evictOthers(2 * half - 3);
  counts.started(promptOf('a'));
  assert.equal(counts.afterEviction, 3 * 16);
  evictOthers(1);
  counts.started(promptOf('a'));
  assert.equal(counts.afterEviction, 3 * 16, 'the older half is forgotten at once');
});

test('blocks after one that was never cached are new', () => {
  const { counts } = countsOf(100);
  for (const index of [0, 2]) counts.evicted(`a/${index}`);
  counts.started(promptOf('a'));
  assert.equal(counts.afterEviction, 16);
});

test('evicted blocks are remembered for four to eight cache sizes', () => {
  const { counts, evictOthers } = countsOf(8_192);
  counts.evicted('a/0');
  // One block less than the second half of the memory.
  evictOthers(2 * 4 * 8_192 - 1);
  counts.started(promptOf('a'));
  assert.equal(counts.afterEviction, 16);
  counts.evicted('one more');
  counts.started(promptOf('a'));
  assert.equal(counts.afterEviction, 16, 'forgotten');
});

test('a small cache remembers 16,384 evicted blocks at least', () => {
  const { counts, evictOthers } = countsOf(10);
  counts.evicted('a/0');
  evictOthers(2 * 16_384 - 1);
  counts.started(promptOf('a'));
  assert.equal(counts.afterEviction, 16);
  counts.evicted('one more');
  counts.started(promptOf('a'));
  assert.equal(counts.afterEviction, 16, 'forgotten');
});

test('after a preemption, what the cache has lost since is computed again', () => {
  const { counts } = countsOf(10);
  const sequence = promptOf('a', 32);
  sequence.lostTokens = 48;
  counts.resumed(sequence);
  assert.equal(counts.afterPreemption, 16);
  // Other requests may have cached more of it than was lost.
  sequence.lostTokens = 16;
  counts.resumed(sequence);
  assert.equal(counts.afterPreemption, 16);
});
