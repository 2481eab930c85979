// LMCache's connector call by call: which chunks are found, loaded and stored, and how long that takes.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Sequence } from '../sequence.ts';
import { ChunkStore } from './chunk-store.ts';
import { Lmcache } from './lmcache.ts';

/** Blocks of 4 tokens, chunks of 2 blocks and 8 bytes, a link of 8 bytes per second. */
function lmcacheOf(localChunksMax: number, stores: readonly ChunkStore[] = []) {
  const connector = new Lmcache({
    blockSize: 4,
    config: {
      ...{ blocksPerChunk: 2, chunkBytes: 8, chunkBytesPerGpu: 8, localChunksMax },
      ...{ link: { bytesPerSecond: 8 }, lookupSeconds: 0, stepSeconds: 0 },
    },
    stores,
  });
  /** Plans a step that computes these tokens of a sequence. @returns Seconds that the step waits. */
  const plan = (startSeconds: number, sequence?: Sequence, tokens = 0) => {
    const sequences = sequence ? [sequence] : [];
    const seconds = connector.planned({
      ...{ startSeconds, computeSeconds: 1, sequences, scheduledTokens: [tokens] },
      ...{ preempted: [], allocatedBlocks: [] },
    });
    if (sequence) sequence.computedTokens += tokens;
    return seconds;
  };
  const lookup = (sequence: Sequence, now = 0) =>
    connector.lookup(sequence, 0, now) ?? assert.fail('it waits for no server');
  return { connector, plan, lookup };
}

/** A prompt whose first blocks, this many, are shared by all. */
function sequenceOf(id: string, promptTokens: number, shared = 99): Sequence {
  const request = { id, promptTokens, maxTokens: 1, priority: 0, arrivalSeconds: 0 };
  const blockKey = (index: number) => `${index < shared ? 'shared' : id}/${index}`;
  return new Sequence({ ...request, blockKey });
}

/** One store of 4 bytes per second. */
function storeOf(): ChunkStore {
  return new ChunkStore({
    ...{ name: 'server', chunksMax: 100, chunkBytes: 8 },
    ...{ read: { bytesPerSecond: 4 }, write: { bytesPerSecond: 1000 } },
  });
}

test('a chunk is found by prompts that share all of it, and by no others', () => {
  const { plan, lookup } = lmcacheOf(100);
  const first = sequenceOf('a', 17);
  lookup(first);
  assert.equal(plan(0, first, 17), 2, 'two chunks are copied');
  assert.equal(lookup(sequenceOf('b', 17, 2)).tokens, 8);
  assert.equal(lookup(sequenceOf('c', 17, 3)).tokens, 8);
  assert.equal(lookup(sequenceOf('d', 17, 4)).tokens, 16);
  assert.equal(lookup(sequenceOf('e', 17, 1)).tokens, 0);
  assert.equal(lookup(sequenceOf('f', 16)).tokens, 15, 'the last token is computed');
  assert.equal(lookup(sequenceOf('g', 15)).tokens, 8, 'only whole chunks count');
});

test('a hit is expected to take its copy, and no hit takes no time', () => {
  const { plan, lookup } = lmcacheOf(100);
  const first = sequenceOf('a', 17);
  lookup(first);
  plan(0, first, 17);
  assert.equal(lookup(sequenceOf('b', 17)).loadSeconds, 2);
  assert.equal(lookup(sequenceOf('c', 17, 2)).loadSeconds, 1);
  assert.equal(lookup(sequenceOf('d', 17, 0)).loadSeconds, 0);
});

test('a load delays one step, and what came from a store stays in host memory', () => {
  const store = storeOf();
  const writer = lmcacheOf(0, [store]);
  const first = sequenceOf('a', 17);
  writer.lookup(first);
  writer.plan(0, first, 17);
  const { connector, plan, lookup } = lmcacheOf(100, [store]);
  const second = sequenceOf('b', 17);
  const hit = lookup(second, 10);
  assert.deepEqual([hit.tokens, hit.loadSeconds], [16, 4 + 2]);
  connector.load(second, 0, hit);
  assert.equal(plan(10), 4 + 2, '16 bytes at 4 per second, and their copy');
  assert.equal(plan(20), 0, 'the next step has nothing to load');
  const third = sequenceOf('c', 17);
  const again = lookup(third, 30);
  assert.equal(again.loadSeconds, 2, 'host memory has it now');
  connector.load(third, 0, again);
  assert.equal(plan(30), 2);
  assert.deepEqual(connector.stats.loads, { transfers: 2, bytes: 32, seconds: 8 });
  third.computedTokens = 16;
  assert.equal(plan(40, third, 1), 0, 'nothing is stored a second time');
});

test('a reset empties host memory and drops loads that have not begun', () => {
  const { connector, plan, lookup } = lmcacheOf(100);
  const first = sequenceOf('a', 17);
  lookup(first);
  plan(0, first, 17);
  const second = sequenceOf('b', 17);
  connector.load(second, 0, lookup(second));
  assert.equal(connector.reset(), true);
  assert.equal(plan(10), 0);
  assert.equal(lookup(sequenceOf('c', 17)).tokens, 0);
  // A request that goes on is stored from its beginning.
  assert.equal(plan(20, first, 0), 2);
});
