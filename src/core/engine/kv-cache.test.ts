import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defaultEngineConfig, type EngineConfig } from './config.ts';
import type { EngineListener } from './contract.ts';
import { KvCache } from './kv-cache.ts';
import { Sequence } from './sequence.ts';

/** A cache of 8 usable blocks of 4 tokens. */
function cacheOf(
  settings: Partial<EngineConfig> = {},
  listener: EngineListener = {},
  keepAllocated = false,
): KvCache {
  const config = defaultEngineConfig({
    ...{ blockSize: 4, numGpuBlocks: 9, maxModelLen: 32, ...settings },
  });
  return new KvCache(config, listener, { keepAllocated });
}

/** Sequences with equal texts share a prefix. */
function sequenceOf(promptTokens: number, text = 'x'): Sequence {
  const id = `${text} ${promptTokens}`;
  const request = { id, promptTokens, maxTokens: 9, priority: 0, arrivalSeconds: 0 };
  return new Sequence({ ...request, blockKey: (index) => `${text}/${index}` });
}

/** Admits a sequence with all of its tokens, after a lookup. */
function admitted(kv: KvCache, promptTokens: number, text = 'x'): Sequence {
  const sequence = sequenceOf(promptTokens, text);
  const found = kv.lookup(sequence);
  assert.equal(kv.admit(sequence, promptTokens - found, false), true);
  sequence.computedTokens = promptTokens;
  return sequence;
}

test('a lookup finds full blocks of the prefix, without the last token', () => {
  const kv = cacheOf();
  admitted(kv, 11);
  assert.deepEqual(
    [3, 4, 5, 8, 9, 12, 13].map((n) => kv.lookup(sequenceOf(n))),
    [...[0, 0, 4, 4, 8, 8, 8]],
  );
  assert.equal(kv.lookup(sequenceOf(9, 'y')), 0);
  const without = cacheOf({ enablePrefixCaching: false });
  admitted(without, 11);
  assert.equal(without.lookup(sequenceOf(11)), 0);
});

test('an admitted sequence holds the blocks that were found and new ones for the rest', () => {
  const kv = cacheOf();
  const first = admitted(kv, 10);
  assert.deepEqual([first.blocks.length, first.cachedBlocks, kv.pool.freeBlocks], [3, 2, 5]);
  const second = sequenceOf(16);
  assert.equal(kv.lookup(second), 8);
  assert.equal(kv.admit(second, 8, false), true);
  assert.deepEqual(second.blocks.slice(0, 2), first.blocks.slice(0, 2));
  assert.deepEqual([second.computedTokens, second.cachedBlocks], [8, 4]);
  assert.equal(kv.pool.freeBlocks, 3);
  kv.audit([first, second]);
});

test('a sequence that does not fit is refused and changes nothing', () => {
  const kv = cacheOf();
  const first = admitted(kv, 16);
  const second = sequenceOf(17, 'y');
  kv.lookup(second);
  assert.equal(kv.admit(second, 17, false), false);
  assert.deepEqual([second.blocks.length, second.computedTokens, kv.pool.freeBlocks], [0, 0, 4]);
  assert.equal(kv.admit(second, 4, false), false, 'the whole prompt has to fit');
  const fitting = sequenceOf(16, 'y');
  kv.lookup(fitting);
  assert.equal(kv.admit(fitting, 16, false), true);
  kv.audit([first, fitting]);
  const chunked = cacheOf({ schedulerReserveFullIsl: false });
  admitted(chunked, 16);
  chunked.lookup(second);
  assert.equal(chunked.admit(second, 4, false), true, 'only its first chunk has to fit');
});

test('while something runs, the watermark stays free at admission', () => {
  // A quarter of 9 blocks: 2.
  const fits = (promptTokens: number, somethingRuns: boolean) => {
    const kv = cacheOf({ watermark: 0.25 });
    const sequence = sequenceOf(promptTokens);
    kv.lookup(sequence);
    return kv.admit(sequence, promptTokens, somethingRuns);
  };
  assert.deepEqual([fits(24, true), fits(25, true), fits(25, false)], [true, false, true]);
});

test('found blocks without a holder count as needed, because they leave the free list', () => {
  const kv = cacheOf();
  kv.free(admitted(kv, 16));
  assert.equal(kv.pool.freeBlocks, 8);
  const long = sequenceOf(31);
  assert.equal(kv.lookup(long), 16);
  const other = sequenceOf(1, 'y');
  kv.lookup(other);
  kv.admit(other, 1, false);
  kv.lookup(long);
  assert.equal(kv.admit(long, 15, false), false, '7 blocks are free');
  kv.free(other);
  kv.lookup(long);
  assert.equal(kv.admit(long, 15, false), true);
});

test('a refused sequence stays refused until enough blocks are free', () => {
  const kv = cacheOf();
  const [first, second] = [admitted(kv, 16), admitted(kv, 8, 'y')];
  const long = sequenceOf(20, 'z');
  assert.equal(kv.isStillRefused(long), false, 'not tried yet');
  kv.lookup(long);
  assert.equal(kv.admit(long, 20, false), false);
  assert.equal(kv.isStillRefused(long), true);
  assert.equal(kv.isStillRefused(sequenceOf(20, 'z')), false);
  kv.free(second);
  assert.equal(kv.isStillRefused(long), true, '4 of 5 blocks');
  kv.free(first);
  assert.equal(kv.isStillRefused(long), false);
  const chunked = cacheOf({ schedulerReserveFullIsl: false });
  admitted(chunked, 31);
  chunked.lookup(long);
  assert.equal(chunked.admit(long, 20, false), false);
  assert.equal(chunked.isStillRefused(long), false, 'its need depends on the step');
});

test('blocks that come into use may let a refused sequence in', () => {
  const kv = cacheOf();
  kv.free(admitted(kv, 8));
  const other = admitted(kv, 15, 'y');
  // Five blocks, of which two are found without a holder; four are free.
  const long = sequenceOf(20);
  kv.lookup(long);
  assert.equal(kv.admit(long, 12, false), false);
  assert.equal(kv.isStillRefused(long), true);
  const short = sequenceOf(9);
  kv.lookup(short);
  kv.admit(short, 1, false);
  assert.equal(kv.isStillRefused(long), false, 'its first two blocks are in use');
  kv.audit([other, short]);
});

test('a sequence gets a block when its last one is full, or none is left', () => {
  const kv = cacheOf();
  const sequence = admitted(kv, 5);
  const lengths = Array.from({ length: 4 }, () => {
    assert.equal(kv.extend(sequence, 1), true);
    sequence.computedTokens += 1;
    return [sequence.blocks.length, sequence.cachedBlocks];
  });
  assert.deepEqual(lengths, [
    [2, 1],
    [2, 1],
    [2, 2],
    [3, 2],
  ]);
  const rest = admitted(kv, 20, 'y');
  assert.equal(kv.pool.freeBlocks, 0);
  assert.equal(kv.extend(sequence, 3), true);
  assert.equal(kv.extend(sequence, 4), false);
  assert.equal(sequence.blocks.length, 3);
  kv.audit([sequence, rest]);
});

test('tokens are free up to the end of the block, or before its last if a listener is to hear of it', () => {
  const listening = cacheOf({}, { blocksStored: () => {} });
  const without = cacheOf({ enablePrefixCaching: false });
  const freeAfter = (kv: KvCache, promptTokens: number) =>
    kv.freeTokens(admitted(kv, promptTokens));
  assert.deepEqual(
    [1, 5, 7, 8].map((n) => freeAfter(cacheOf(), n)),
    [3, 3, 1, 0],
  );
  assert.deepEqual([freeAfter(listening, 5), freeAfter(listening, 8)], [2, 0]);
  assert.deepEqual([freeAfter(without, 5), freeAfter(without, 8)], [3, 0]);
  // With blocks for more tokens than are computed, only the first that is not full counts.
  const kv = cacheOf();
  const loading = sequenceOf(12);
  kv.lookup(loading);
  kv.hold(loading, 8, false, 0);
  loading.computedTokens = 1;
  assert.equal(kv.freeTokens(loading), 3);
});

test('the block that a run of steps has filled is findable at its end', () => {
  const stored: number[][] = [];
  const listener = { blocksStored: (_: unknown, ...what: number[]) => stored.push(what) };
  const kv = cacheOf({}, listener);
  const sequence = admitted(kv, 5);
  sequence.computedTokens = 8;
  kv.runEnded(sequence);
  assert.equal(kv.lookup(sequenceOf(9)), 8);
  assert.deepEqual(stored, [
    [0, 1],
    [1, 1],
  ]);
  kv.runEnded(sequence);
  assert.equal(stored.length, 2, 'nothing new');
  const without = cacheOf({ enablePrefixCaching: false }, listener);
  without.runEnded(admitted(without, 8));
  assert.equal(stored.length, 2);
});

test('blocks that a tier fills are findable once they are loaded', () => {
  const kv = cacheOf();
  const sequence = sequenceOf(12);
  kv.lookup(sequence);
  assert.equal(kv.hold(sequence, 8, false, 0), true);
  assert.deepEqual([sequence.blocks.length, sequence.computedTokens], [2, 8]);
  assert.equal(kv.lookup(sequenceOf(12)), 0);
  assert.equal(kv.lackingBlocks(sequence), 1);
  kv.loaded(sequence);
  assert.deepEqual([sequence.cachedBlocks, sequence.computedTokens], [2, 8]);
  assert.equal(kv.lookup(sequenceOf(12)), 8);
  const whole = sequenceOf(8, 'y');
  kv.lookup(whole);
  kv.hold(whole, 8, false, 0);
  assert.equal(kv.lackingBlocks(whole), 0);
  whole.blocks.length = 3;
  assert.equal(kv.lackingBlocks(whole), 0);
  whole.blocks.length = 2;
  kv.loaded(whole);
  assert.equal(whole.computedTokens, 7, 'the last token is computed');
});

test('a tier fills blocks only beside the reserve and the watermark', () => {
  const holds = (settings: Partial<EngineConfig>, somethingRuns: boolean, reserved: number) => {
    const kv = cacheOf(settings);
    const sequence = sequenceOf(9);
    kv.lookup(sequence);
    return kv.hold(sequence, 8, somethingRuns, reserved);
  };
  assert.deepEqual([holds({}, false, 6), holds({}, false, 7)], [true, false]);
  const marked = { watermark: 0.25 };
  assert.deepEqual([holds(marked, true, 4), holds(marked, true, 5)], [true, false]);
  assert.deepEqual([holds(marked, false, 6), holds(marked, false, 7)], [true, false]);
  // Found blocks without a holder count too.
  const kv = cacheOf();
  kv.free(admitted(kv, 5));
  const found = (reserved: number) => {
    const sequence = sequenceOf(13);
    assert.equal(kv.lookup(sequence), 4);
    const isHeld = kv.hold(sequence, 8, false, reserved);
    if (isHeld) assert.deepEqual([sequence.computedTokens, sequence.blocks.length], [12, 3]);
    return isHeld;
  };
  assert.deepEqual([found(6), found(5)], [false, true]);
});

test('blocks that could not be loaded have to be computed', () => {
  const kv = cacheOf();
  const make = (hasRun: boolean) => {
    const sequence = sequenceOf(20, `${hasRun}`);
    Object.assign(sequence, { cachedBlocks: 1, computedTokens: 12, foundTokens: 12 });
    Object.assign(sequence, { cachedTokens: 12, externalTokens: 8, hasRun });
    kv.notLoaded(sequence);
    const { computedTokens, foundTokens, cachedTokens, externalTokens } = sequence;
    return [computedTokens, foundTokens, cachedTokens, externalTokens];
  };
  assert.deepEqual(make(false), [4, 4, 4, 0]);
  assert.deepEqual(make(true), [4, 4, 12, 8]);
});

test('a loaded sequence is admitted with the blocks that it lacks', () => {
  const admits = (settings: Partial<EngineConfig>, used: number, somethingRuns: boolean) => {
    const kv = cacheOf(settings);
    const sequence = sequenceOf(16);
    kv.lookup(sequence);
    kv.hold(sequence, 8, false, 0);
    kv.loaded(sequence);
    if (used > 0) admitted(kv, 4 * used, 'y');
    const isAdmitted = kv.admitLoaded(sequence, 3, somethingRuns);
    assert.equal(sequence.blocks.length, isAdmitted ? 3 : 2);
    return isAdmitted;
  };
  assert.deepEqual([admits({}, 4, true), admits({}, 5, true)], [true, false]);
  const marked = { watermark: 0.25 };
  assert.deepEqual([admits(marked, 2, true), admits(marked, 3, true)], [true, false]);
  assert.deepEqual([admits(marked, 4, false), admits(marked, 5, false)], [true, false]);
  const chunked = { schedulerReserveFullIsl: false };
  assert.deepEqual([admits(chunked, 5, true), admits(chunked, 6, true)], [true, false]);
});

test('allocated blocks are reported once, to those who ask for it', () => {
  const kv = cacheOf({}, {}, true);
  const sequence = admitted(kv, 9);
  assert.deepEqual(kv.takeAllocated(), sequence.blocks);
  assert.deepEqual(kv.takeAllocated(), []);
  const second = admitted(kv, 13);
  assert.deepEqual(kv.takeAllocated(), second.blocks.slice(2));
  const silent = cacheOf();
  admitted(silent, 9);
  assert.deepEqual(silent.takeAllocated(), []);
});

test('a freed sequence holds nothing, and its blocks stay findable', () => {
  const kv = cacheOf();
  const sequence = admitted(kv, 9);
  kv.free(sequence);
  const { blocks, cachedBlocks, computedTokens } = sequence;
  assert.deepEqual([blocks.length, cachedBlocks, computedTokens], [0, 0, 0]);
  assert.equal(kv.pool.usedBlocks, 0);
  assert.equal(kv.lookup(sequenceOf(9)), 8);
  kv.audit([]);
});

test('an audit notices a lost, a missing and a doubled holder, and too few blocks', () => {
  const kv = cacheOf();
  const sequence = admitted(kv, 8);
  kv.audit([sequence]);
  assert.throws(() => kv.audit([]), /has 1 references, undefined holders/);
  assert.throws(() => kv.audit([sequence, sequence]), /has 1 references, 2 holders/);
  sequence.computedTokens = 9;
  assert.throws(() => kv.audit([sequence]), /9 tokens in too few blocks/);
  sequence.computedTokens = 8;
  sequence.cachedBlocks = 3;
  assert.throws(() => kv.audit([sequence]), /too few blocks/);
  sequence.cachedBlocks = 2;
  kv.audit([sequence]);
  sequence.blocks[1] = 7;
  assert.throws(() => kv.audit([sequence]), /KV block \d has/);
});

test('blocks that a load has left empty are filled in turn, and each is findable when it is full', () => {
  const kv = cacheOf();
  const sequence = sequenceOf(13);
  kv.lookup(sequence);
  kv.hold(sequence, 8, false, 0);
  kv.notLoaded(sequence);
  assert.deepEqual([sequence.computedTokens, sequence.blocks.length], [0, 2]);
  const found = [3, 1, 3, 1].map((newTokens) => {
    assert.equal(kv.extend(sequence, newTokens), true);
    sequence.computedTokens += newTokens;
    return kv.lookup(sequenceOf(13));
  });
  assert.deepEqual(found, [0, 4, 4, 8]);
  assert.equal(sequence.blocks.length, 2);
});

test('tokens that a tier fills in while the step runs count as computed, and need their blocks', () => {
  const kv = cacheOf();
  const sequence = sequenceOf(24);
  kv.lookup(sequence);
  assert.equal(kv.admit(sequence, 8, false, 8), true);
  assert.deepEqual([sequence.computedTokens, sequence.blocks.length], [8, 4]);
  const fits = (newTokens: number, externalTokens: number) => {
    const chunked = cacheOf({ schedulerReserveFullIsl: false });
    const other = sequenceOf(31);
    chunked.lookup(other);
    return chunked.admit(other, newTokens, false, externalTokens);
  };
  assert.deepEqual([fits(16, 16), fits(17, 16)], [true, false]);
});

test('a part of a block that a tier fills takes a whole one, and is not findable', () => {
  const kv = cacheOf();
  const sequence = sequenceOf(12);
  kv.lookup(sequence);
  assert.equal(kv.hold(sequence, 6, false, 0), true);
  assert.equal(sequence.blocks.length, 2);
  kv.loaded(sequence);
  assert.deepEqual([sequence.cachedBlocks, sequence.computedTokens], [1, 6]);
  assert.equal(kv.lackingBlocks(sequenceOf(13)), 4);
  const refused = sequenceOf(31, 'y');
  kv.lookup(refused);
  assert.equal(kv.hold(refused, 8, false, 0), false);
  assert.equal(refused.blocks.length, 0);
});

test('removed blocks are reported by their keys', () => {
  const removed: unknown[] = [];
  const kv = cacheOf({}, { blockRemoved: (key) => removed.push(key) });
  kv.free(admitted(kv, 8));
  admitted(kv, 31, 'y');
  assert.deepEqual(removed, ['x/1', 'x/0']);
});
