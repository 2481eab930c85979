// What one engine's events make of its blocks, and of the tables that it shares with others.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LruMap } from '../base/index.ts';
import type { BlockStoredEvent, EventBlockHash } from '../protocol/index.ts';
import { chainRoot, hashTokenChain } from './chain-hash.ts';
import { EngineBlocks, type KvIndexEngineOptions } from './engine-blocks.ts';
import { Expectations } from './expected-blocks.ts';
import { TierTables } from './tier-tables.ts';

function shared(blocksMax = 100) {
  return {
    ...{ tables: new TierTables(blocksMax), expectations: new Expectations() },
    adapters: new LruMap<string, true>({ entriesMax: 4 }),
    counts: { orphans: 0, overflows: 0, ignoredEvents: 0 },
  };
}

function engine(parts = shared(), holder = 0, options: KvIndexEngineOptions = {}) {
  return { ...parts, blocks: new EngineBlocks(holder, parts, options) };
}

/** Blocks of two tokens. */
function stored(
  blockHashes: readonly EventBlockHash[],
  parentBlockHash: EventBlockHash | undefined,
  tokenIds: readonly number[],
  more: Partial<BlockStoredEvent> = {},
): BlockStoredEvent {
  return {
    ...{ type: 'BlockStored', blockHashes, parentBlockHash, tokenIds, blockSize: 2 },
    ...{ loraId: undefined, medium: undefined, loraName: undefined, extraKeys: undefined },
    ...{ groupIndex: undefined, cacheSpecKind: undefined, slidingWindow: undefined, ...more },
  } as BlockStoredEvent;
}

const removed = (blockHashes: readonly EventBlockHash[], medium?: string) =>
  ({ type: 'BlockRemoved', blockHashes, medium, groupIndex: undefined }) as const;

const [first = 0, second = 0] = hashTokenChain([1, 2, 3, 4], 2, chainRoot);

test('blocks get names that depend on their tokens and parents, not on the engine’s hashes', () => {
  const { blocks, tables } = engine();
  blocks.apply(stored([7n], undefined, [1, 2]));
  blocks.apply(stored([new Uint8Array([0, 0, 0, 0, 0, 0, 0, 0, 9])], 7n, [3, 4]));
  assert.ok(tables.table('GPU').has(first, 0));
  assert.ok(tables.table('GPU').has(second, 0));
  assert.deepEqual([blocks.blockSize, blocks.sizeOf('GPU')], [2, 2]);
  // The bytes and the integer of the same 64 bits are one hash.
  blocks.apply(removed([9n]));
  assert.equal(tables.table('GPU').has(second, 0), false);
});

test('two hashes of the same tokens are one block, until both are removed', () => {
  const { blocks, tables } = engine();
  blocks.apply(stored([1n], undefined, [1, 2]));
  blocks.apply(stored([2n], undefined, [1, 2]));
  assert.equal(tables.sizeOf('GPU'), 1);
  blocks.apply(removed([1n]));
  assert.ok(tables.table('GPU').has(first, 0));
  blocks.apply(removed([2n]));
  assert.equal(tables.sizeOf('GPU'), 0);
});

test('clearing an engine leaves the blocks of others, and resetting its cache its lower tiers', () => {
  const parts = shared();
  const [a, b] = [engine(parts, 0).blocks, engine(parts, 1).blocks];
  for (const blocks of [a, b]) {
    blocks.apply(stored([1n], undefined, [1, 2]));
    blocks.apply(stored([1n], undefined, [], { blockSize: 0, medium: 'cpu' }));
  }
  a.apply({ type: 'AllBlocksCleared' } as never);
  assert.deepEqual([a.sizeOf('GPU'), a.sizeOf('CPU'), a.footprint.holdings], [0, 1, 1]);
  assert.ok(parts.tables.table('GPU').has(first, 1));
  b.clear();
  assert.deepEqual([parts.tables.sizeOf('GPU'), parts.tables.sizeOf('CPU')], [0, 1]);
});

test('a stored block is no longer expected of its engine, and after a restart nothing is', () => {
  const { blocks, expectations } = engine();
  const expected = expectations.create(undefined);
  expected.add(0, [first, second]);
  blocks.apply(stored([1n], undefined, [1, 2]));
  assert.equal(expected.size, 1);
  blocks.clear();
  assert.equal(expected.size, 0);
});

test('what cannot be indexed is counted', () => {
  const { blocks, counts } = engine(shared(1));
  blocks.apply(stored([2n], 1n, [3, 4]));
  assert.deepEqual(counts, { orphans: 1, overflows: 0, ignoredEvents: 0 });
  blocks.apply(stored([1n, 2n], undefined, [1, 2, 3, 4]));
  assert.deepEqual(counts, { orphans: 1, overflows: 1, ignoredEvents: 0 });
  blocks.apply(stored([3n], undefined, [1, 2], { medium: 'tape' }));
  blocks.apply(stored([3n], undefined, [1, 2, 3]));
  blocks.apply(removed([1n], 'cpu'));
  blocks.apply({ type: 'unknown' } as never);
  assert.equal(counts.ignoredEvents, 4);
});
