// Compares the pool of chunks with vLLM's own CPUOffloadingManager: the same chunks stored and
// evicted, the same results, call by call.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { ChunkPool, type RequestAccess } from './chunk-pool.ts';
import type { EvictionPolicyName } from './eviction.ts';

/** Each call with its arguments, its result, and [chunks in transfer, of these being written]. */
type Call = readonly [string, ...unknown[]];

interface Recording {
  readonly policy: EvictionPolicyName;
  readonly capacity: number;
  readonly threshold: number;
  readonly tracker: number;
  readonly ops: readonly Call[];
}

const recordings = JSON.parse(
  readFileSync(join(import.meta.dirname, 'fixtures/cpu-manager.json'), 'utf8'),
) as readonly Recording[];

const states = { HIT: 'readable', HIT_PENDING: 'pending', MISS: 'miss' } as const;

for (const { policy, capacity, threshold, tracker, ops } of recordings) {
  test(`${policy}, ${capacity} chunks, threshold ${threshold}: ${ops.length} calls give the results of vLLM's manager`, () => {
    const removed: number[] = [];
    const pool = new ChunkPool({
      ...{ chunksMax: capacity, eviction: policy, storeThreshold: threshold, trackedMax: tracker },
      onRemoved: (keys) => removed.push(...(keys as number[])),
    });
    const requests = new Map<number, RequestAccess>();
    const accessOf = (id: unknown) => requests.get(id as number) ?? assert.fail();
    ops.forEach((call, index) => {
      const [name, a, b, c, d, e] = call;
      const at = `call ${index}: ${JSON.stringify(call)}`;
      if (name === 'new') requests.set(a as number, pool.access());
      else if (name === 'offer') {
        removed.length = 0;
        const stored = pool.beginStore(c as number[], b as number, accessOf(a));
        assert.deepEqual(stored ?? null, d, at);
        assert.deepEqual(removed, e, at);
      } else if (name === 'endStore') pool.endStore(b as number[]);
      else if (name === 'lookup') {
        const found = (b as (keyof typeof states)[]).map((state) => states[state]);
        assert.deepEqual(
          (a as number[]).map((key) => pool.lookup(key)),
          found,
          at,
        );
      } else if (name === 'load') pool.beginLoad(c as number[], b as number, accessOf(a));
      else if (name === 'endLoad') pool.endLoad(b as number[]);
      else if (name === 'finish') pool.requestEnded(accessOf(a));
      else {
        pool.clear();
        for (const id of requests.keys()) requests.set(id, pool.access());
      }
      if (name === 'lookup') return;
      const [busy, writing] = call.at(-1) as [number, number];
      assert.deepEqual([pool.reading + pool.writing, pool.writing], [busy, writing], at);
      pool.audit();
    });
  });
}

test('whatever adds a chunk or ends a use of it counts as a change, so that a failed store is tried again', () => {
  const pool = new ChunkPool({ chunksMax: 4 });
  const access = pool.access();
  let before = pool.changes;
  const isChanged = () => {
    const last = before;
    before = pool.changes;
    return before > last;
  };
  pool.beginStore(['a'], 0, access);
  assert.ok(isChanged(), 'a store');
  pool.endStore(['a']);
  assert.ok(isChanged(), 'its end');
  assert.ok(pool.beginPromotion('b', 1, access));
  assert.ok(isChanged(), 'a read from a lower tier');
  pool.beginLoad(['a'], 0, access);
  pool.endLoad(['a']);
  assert.ok(isChanged(), 'the end of a load');
  pool.clear();
  assert.ok(isChanged(), 'a reset');
});

test('the keys of an offer do not push each other out of the counts', () => {
  const pool = new ChunkPool({ chunksMax: 4, storeThreshold: 2, trackedMax: 2 });
  const access = pool.access();
  assert.deepEqual(pool.beginStore(['a'], 0, access), []);
  // There is space to count two keys: `c` finds none, and `a` keeps its second offer.
  assert.deepEqual(pool.beginStore(['a', 'b', 'c'], 0, access), ['a']);
});

test('only chunks that are in the pool can be loaded, held or ended', () => {
  const pool = new ChunkPool({ chunksMax: 4 });
  const access = pool.access();
  pool.beginStore(['being stored'], 0, access);
  for (const key of ['absent', 'being stored']) {
    assert.throws(() => pool.beginLoad([key], 0, access), /not available for loading/, key);
    assert.throws(() => pool.hold([key]), /not available for reading/, key);
    assert.throws(() => pool.endLoad([key]), /not being loaded/, key);
  }
  assert.throws(() => pool.endStore(['absent']), /not being stored/);
});
