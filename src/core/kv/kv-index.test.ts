import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { BlockRemovedEvent, BlockStoredEvent } from '../protocol/index.ts';
import { KvIndex } from './kv-index.ts';

test('an engine has the blocks that it announced, up to the first missing one', () => {
  const index = new KvIndex();
  index.apply('a', [stored([1n, 2n, 3n], undefined, [1, 2, 3, 4, 5, 6])]);
  index.apply('b', [stored([11n], undefined, [1, 2]), stored([12n], 11n, [3, 9])]);
  const match = (tokens: number[]): number[] => [...index.match(tokens, {}, ['a', 'b', 'never'])];
  assert.deepEqual(match([1, 2, 3, 4, 5, 6, 7]), [6, 2, 0]);
  assert.deepEqual(match([1, 2, 3, 9, 5, 6]), [2, 4, 0]);
  assert.deepEqual(match([3, 4]), [0, 0, 0]);
  index.apply('a', [removed([2n])]);
  assert.deepEqual(match([1, 2, 3, 4, 5, 6]), [2, 2, 0]);
  index.apply('a', [stored([2n], 1n, [3, 4])]);
  assert.deepEqual(match([1, 2, 3, 4, 5, 6]), [6, 2, 0]);
});

test('a block stored twice is gone after two removals, or after one with set semantics', () => {
  const index = new KvIndex();
  index.addEngine('set', { repeats: 'set' });
  for (const name of ['a', 'set']) {
    index.apply(name, [stored([1n], undefined, [1, 2]), stored([1n], undefined, [1, 2])]);
    index.apply(name, [removed([1n])]);
  }
  assert.deepEqual([...index.match([1, 2], {}, ['a', 'set'])], [2, 0]);
  index.apply('a', [removed([1n])]);
  assert.deepEqual([...index.match([1, 2], {}, ['a'])], [0]);
});

test('adapters, salts and images distinguish equal tokens', () => {
  const index = new KvIndex();
  index.apply('a', [
    { ...stored([1n], undefined, [1, 2]), loraId: 1, loraName: 'sql', extraKeys: [['sql']] },
    { ...stored([2n, 3n], undefined, [1, 2, 3, 4]), extraKeys: [['salt-1'], undefined] },
    { ...stored([4n], undefined, [7, 7]), extraKeys: [[['image', 0]]] },
    { ...stored([5n], undefined, [8, 8]), loraId: 2 },
  ]);
  const match = (tokens: number[], scope = {}): number =>
    index.match(tokens, scope, ['a'])[0] ?? -1;
  assert.equal(match([1, 2, 3, 4]), 0);
  assert.equal(match([1, 2, 3, 4], { loraName: 'sql' }), 2);
  assert.equal(match([1, 2, 3, 4], { cacheSalt: 'salt-1' }), 4);
  assert.equal(match([1, 2, 3, 4], { cacheSalt: 'salt-2' }), 0);
  assert.equal(match([1, 2], { loraName: 'sql', cacheSalt: 'salt-1' }), 0);
  assert.equal(match([7, 7]), 0);
  assert.equal(match([8, 8]), 0);
});

test('media are tiers, in upper or lower case, and placeholders are identified by their hash', () => {
  const index = new KvIndex();
  index.apply('a', [stored([1n, 2n, 3n], undefined, [1, 2, 3, 4, 5, 6])]);
  const placeholder = { ...stored([2n, 3n], undefined, []), blockSize: 0 };
  index.apply('a', [
    { ...placeholder, medium: 'cpu' },
    { ...stored([4n], 3n, [7, 8]), medium: 'STORAGE' },
    removed([2n]),
    removed([3n]),
  ]);
  const matches = (['GPU', 'CPU', 'STORAGE'] as const).map(
    (tier) => index.match([1, 2, 3, 4, 5, 6, 7, 8], {}, ['a'], tier)[0],
  );
  assert.deepEqual(matches, [2, 6, 8]);
  index.apply('a', [{ type: 'AllBlocksCleared' }]);
  assert.equal(index.blocksOf('a'), 0);
  assert.equal(index.blocksOf('a', 'CPU'), 2);
});

test('an engine without a live event stream counts as empty until the stream is back', () => {
  const index = new KvIndex();
  for (const name of ['a', 'b']) index.apply(name, [stored([1n], undefined, [1, 2])]);
  const held = (): number[] => [...index.match([1, 2], {}, ['a', 'b'])];
  index.setKnowledge('a', 'none');
  assert.deepEqual(held(), [0, 2]);
  index.setKnowledge('a', 'partial');
  assert.deepEqual(held(), [2, 2]);
});

test('a match with a lower tier counts blocks in either, up to the first in neither', () => {
  const [gpu, cpu, storage] = [1, 2, 4];
  const places = fc.array(fc.nat(7), { minLength: 6, maxLength: 6 });
  fc.assert(
    // 40 engines: a lower tier may have fewer or more words of holders than the GPU.
    fc.property(fc.dictionary(fc.integer({ min: 0, max: 39 }).map(String), places), (engines) => {
      const index = new KvIndex();
      const tokens = Array.from({ length: 12 }, (_, i) => i);
      const hashes = [1n, 2n, 3n, 4n, 5n, 6n];
      const names = Array.from({ length: 40 }, (_, i) => `${i}`);
      for (const name of names) index.addEngine(name);
      for (const [name, held] of Object.entries(engines)) {
        index.apply(name, [stored(hashes, undefined, tokens)]);
        const inTier = (tier: number) => hashes.filter((_, i) => (held[i] as number) & tier);
        for (const [medium, tier] of [['CPU', cpu] as const, ['STORAGE', storage] as const]) {
          index.apply(name, [{ ...stored(inTier(tier), undefined, []), blockSize: 0, medium }]);
        }
        index.apply(name, [removed(hashes.filter((hash) => !inTier(gpu).includes(hash)))]);
      }
      const leading = (name: string, tiers: number): number => {
        const held = engines[name] ?? [0];
        const first = held.findIndex((place) => (place & tiers) === 0);
        return 2 * (first < 0 ? held.length : first);
      };
      for (const [tier, tiers] of [
        ['GPU', gpu],
        ['CPU', gpu | cpu],
        ['STORAGE', gpu | cpu | storage],
      ] as const) {
        const expected = names.map((name) => leading(name, tiers));
        assert.deepEqual([...index.match(tokens, {}, names, tier)], expected);
      }
    }),
  );
});

test('groups that do not hold whole prefixes are ignored', () => {
  const index = new KvIndex();
  index.apply('a', [
    { ...stored([1n], undefined, [1, 2, 3, 4]), cacheSpecKind: 'sliding_window', groupIndex: 0 },
    { ...stored([2n], undefined, [1, 2]), cacheSpecKind: 'mla_attention', groupIndex: 1 },
    { ...stored([2n], undefined, [1, 2]), cacheSpecKind: 'full_attention', groupIndex: 2 },
    { ...removed([2n]), groupIndex: 2 },
    { type: 'unknown', name: 'New' },
  ]);
  assert.deepEqual([...index.match([1, 2], {}, ['a'])], [2]);
  assert.equal(index.stats.ignoredEvents, 4);
});

test('blocks after one that was never announced are counted but not indexed', () => {
  const index = new KvIndex();
  index.apply('a', [stored([2n, 3n], 1n, [3, 4, 5, 6])]);
  assert.equal(index.stats.orphans, 2);
  assert.equal(index.stats.holdings, 0);
});

test('a full index refuses and counts new blocks, and keeps the old ones', () => {
  const index = new KvIndex({ blocksMax: 2 });
  index.apply('a', [stored([1n, 2n, 3n], undefined, [1, 2, 3, 4, 5, 6])]);
  assert.deepEqual([...index.match([1, 2, 3, 4, 5, 6], {}, ['a'])], [4]);
  assert.equal(index.stats.overflows, 1);
  index.apply('b', [stored([1n], undefined, [1, 2])]);
  index.apply('a', [removed([3n, 2n])]);
  index.apply('a', [stored([9n], undefined, [9, 9])]);
  assert.deepEqual([...index.match([9, 9], {}, ['a'])], [2]);
});

test('engines may differ in block size and in the form of their hashes', () => {
  const index = new KvIndex();
  const raw = Uint8Array.from({ length: 32 }, (_, i) => i);
  index.apply('small', [stored([1n], undefined, [1, 2])]);
  index.apply('large', [{ ...stored([raw], undefined, [1, 2, 3, 4]), blockSize: 4 }]);
  assert.deepEqual([...index.match([1, 2, 3, 4, 5], {}, ['small', 'large'])], [2, 4]);
  index.apply('large', [removed([raw])]);
  assert.deepEqual([...index.match([1, 2, 3, 4, 5], {}, ['small', 'large'])], [2, 0]);
});

test('the index equals a naive model after any sequence of events', () => {
  fc.assert(
    fc.property(fc.array(arbitraryStep(), { maxLength: 60 }), (steps) => {
      const index = new KvIndex();
      const model = new NaiveIndex();
      for (const step of steps) {
        for (const one of [index, model]) play(one, step, model);
        for (const prompt of prompts) {
          const expected = engineNames.map((name) => model.match(name, prompt));
          assert.deepEqual([...index.match(prompt, {}, engineNames)], expected);
        }
        assert.equal(index.stats.holdings, model.holdings);
      }
    }),
    { numRuns: 100 },
  );
});

// The naive model counts, per engine, how often each block is stored, by its whole prefix as text. It receives
// the same events. Names of blocks differ between engines, and one block may have two (an adapter
// loaded again from another path, say).

const blockSize = 2;
// 40 engines, so that the sets of holders span two words; three of them do something.
const engineNames = Array.from({ length: 40 }, (_, i) => `engine-${i}`);
const actors = ['engine-0', 'engine-7', 'engine-39'];
const prompts = [0, 1, 2, 3, 4, 5, 6, 7].map((bits) => [
  ...[bits & 1, 0, (bits >> 1) & 1, 0, (bits >> 2) & 1, 0, 5],
]);

interface Step {
  readonly kind: 'store' | 'remove' | 'clear' | 'reset' | 'forget';
  readonly actor: number;
  readonly prompt: number;
  readonly from: number;
  readonly count: number;
  readonly alias: number;
}

function arbitraryStep(): fc.Arbitrary<Step> {
  return fc.record({
    kind: fc.constantFrom(
      'store',
      'store',
      'store',
      'remove',
      'remove',
      'clear',
      'reset',
      'forget',
    ),
    actor: fc.nat(2),
    prompt: fc.nat(7),
    from: fc.nat(2),
    count: fc.integer({ min: 1, max: 3 }),
    alias: fc.nat(1),
  });
}

class NaiveIndex {
  readonly #stored = new Map<string, Map<bigint, number>>();

  apply(
    name: string,
    events: readonly (BlockStoredEvent | BlockRemovedEvent | { type: string })[],
  ) {
    const counts = this.#stored.get(name) ?? new Map<bigint, number>();
    this.#stored.set(name, counts);
    for (const event of events) {
      if (event.type === 'AllBlocksCleared') counts.clear();
      if (!('blockHashes' in event)) continue;
      for (const hash of event.blockHashes as bigint[]) {
        const count = (counts.get(hash) ?? 0) + (event.type === 'BlockStored' ? 1 : -1);
        if (count > 0) counts.set(hash, count);
        else counts.delete(hash);
      }
    }
  }

  clear(name: string): void {
    this.#stored.delete(name);
  }

  removeEngine(name: string): void {
    this.#stored.delete(name);
  }

  holds(name: string, hash: bigint): boolean {
    return this.#stored.get(name)?.has(hash) ?? false;
  }

  match(name: string, prompt: readonly number[]): number {
    let blocks = 0;
    while (
      (blocks + 1) * blockSize <= prompt.length &&
      [0, 1].some((alias) => this.holds(name, hashOf(name, prompt, blocks, alias)))
    ) {
      blocks += 1;
    }
    return blocks * blockSize;
  }

  get holdings(): number {
    return [...this.#stored.values()].reduce((sum, counts) => sum + counts.size, 0);
  }
}

function play(index: KvIndex | NaiveIndex, step: Step, model: NaiveIndex): void {
  const name = actors[step.actor] ?? '';
  const prompt = prompts[step.prompt] ?? [];
  const { from, alias } = step;
  switch (step.kind) {
    case 'clear':
      index.apply(name, [{ type: 'AllBlocksCleared' }]);
      break;
    case 'reset':
      index.clear(name);
      break;
    case 'forget':
      index.removeEngine(name);
      break;
    case 'remove':
      index.apply(name, [removed([hashOf(name, prompt, from, alias)])]);
      break;
    case 'store': {
      const parent = from === 0 ? undefined : hashOf(name, prompt, from - 1, alias);
      // vLLM holds the parent while it stores a child; the model plays second, so it decides.
      if (parent !== undefined && !model.holds(name, parent)) return;
      const to = Math.min(3, from + step.count);
      const hashes = Array.from({ length: to - from }, (_, i) =>
        hashOf(name, prompt, from + i, alias),
      );
      const tokens = prompt.slice(from * blockSize, to * blockSize);
      index.apply(name, [stored(hashes, parent, tokens)]);
      break;
    }
  }
}

/** An engine's name of a block: the engine's seed, all tokens so far, and an alias. */
function hashOf(engine: string, prompt: readonly number[], block: number, alias: number): bigint {
  const text = prompt.slice(0, (block + 1) * blockSize).join('');
  return BigInt(`${actors.indexOf(engine) + 1}${alias}${text.length}${text}`) << 32n;
}

function stored(
  blockHashes: readonly (bigint | Uint8Array)[],
  parentBlockHash: bigint | undefined,
  tokenIds: readonly number[],
): BlockStoredEvent {
  return {
    type: 'BlockStored',
    blockHashes,
    parentBlockHash,
    tokenIds,
    blockSize,
    loraId: undefined,
    medium: 'GPU',
    loraName: undefined,
  };
}

function removed(blockHashes: readonly (bigint | Uint8Array)[]): BlockRemovedEvent {
  return { type: 'BlockRemoved', blockHashes, medium: 'GPU' };
}
