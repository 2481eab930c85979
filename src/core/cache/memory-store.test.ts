import assert from 'node:assert/strict';
import { test } from 'node:test';
import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { ManualClock } from '../base/index.ts';
import { MemoryStore } from './memory-store.ts';
import { pageBytes } from './page-memory.ts';

const page = pageBytes;

function storeOf(pages: number) {
  const clock = new ManualClock();
  return { clock, store: new MemoryStore({ bytesMax: pages * page, clock, checksum: crc32 }) };
}

function put(store: MemoryStore, key: string, bytes: Uint8Array, ttlSeconds?: number): boolean {
  const writer = store.reserve(key, bytes.length);
  writer?.write(bytes);
  writer?.commit(ttlSeconds);
  return writer !== undefined;
}

function read(store: MemoryStore, key: string): Uint8Array | undefined {
  const lease = store.lease(key);
  if (lease === undefined) return undefined;
  const bytes = Buffer.concat(lease.spans);
  lease.release();
  assert.equal(bytes.length, lease.size);
  return new Uint8Array(bytes);
}

const filled = (size: number, value: number) => new Uint8Array(size).fill(value);

test('a value comes back with its bytes and its label, whatever pieces it was written in', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 3 * page + 5 }),
      fc.array(fc.nat(3 * page + 5), { maxLength: 6 }),
      (size, cuts) => {
        const { store } = storeOf(8);
        const bytes = Uint8Array.from({ length: size }, (_, i) => (i * 31) & 255);
        const label = Uint8Array.of(1, 2, 3);
        const writer = store.reserve('k', size, label) ?? assert.fail();
        const edges = [0, ...cuts.map((cut) => Math.min(cut, size)).sort((a, b) => a - b), size];
        edges.slice(1).forEach((end, i) => {
          writer.write(bytes.subarray(edges[i], end));
        });
        writer.commit();
        assert.deepEqual(read(store, 'k'), bytes);
        assert.deepEqual(store.lease('k')?.label, label);
      },
    ),
    { numRuns: 40 },
  );
});

test('a value is invisible until it is complete, and an older one stays until then', () => {
  const { store } = storeOf(4);
  put(store, 'k', filled(10, 1));
  const writer = store.reserve('k', 10) ?? assert.fail();
  writer.write(filled(5, 2));
  assert.deepEqual(read(store, 'k'), filled(10, 1));
  assert.throws(() => writer.commit(), RangeError);
  assert.throws(() => writer.write(filled(6, 2)), RangeError);
  writer.abort();
  assert.deepEqual(read(store, 'k'), filled(10, 1));
  assert.equal(store.stats.bytes, 10);
});

test('the least recently used value makes room, and memory never exceeds its bound', () => {
  const { store } = storeOf(3);
  for (const key of ['a', 'b', 'c']) put(store, key, filled(page, 1));
  read(store, 'a');
  put(store, 'd', filled(page, 1));
  assert.deepEqual(
    ['a', 'b', 'c', 'd'].map((key) => store.size(key) !== undefined),
    [true, false, true, true],
  );
  assert.deepEqual([store.stats.bytes, store.stats.evictions], [3 * page, 1]);
  assert.equal(put(store, 'huge', filled(4 * page, 1)), false);
  assert.equal(store.stats.refused, 1);
});

test('a value that is being read keeps its bytes, though it is evicted or replaced', () => {
  const { store } = storeOf(2);
  put(store, 'a', filled(page, 1));
  const lease = store.lease('a') ?? assert.fail();
  put(store, 'b', filled(page, 2));
  put(store, 'c', filled(page, 3));
  assert.ok(store.size('a') !== undefined, 'in use: not evicted');
  store.delete('a');
  assert.equal(put(store, 'd', filled(2 * page, 4)), false, 'its page is not free yet');
  assert.deepEqual(Buffer.concat(lease.spans), Buffer.from(filled(page, 1)));
  lease.release();
  lease.release();
  assert.equal(put(store, 'd', filled(2 * page, 4)), true);
});

test('a client that was told of a value finds it for ten seconds', () => {
  const { store, clock } = storeOf(1);
  put(store, 'a', filled(page, 1));
  assert.equal(store.exists('a'), true);
  clock.advance(9.9);
  assert.equal(put(store, 'b', filled(page, 2)), false);
  clock.advance(0.2);
  assert.equal(put(store, 'b', filled(page, 2)), true);
  assert.equal(store.exists('a'), false);
});

test('it finds it even if the value expires meanwhile', () => {
  const { store, clock } = storeOf(1);
  put(store, 'a', filled(3, 1), 5);
  store.exists('a');
  clock.advance(9);
  assert.deepEqual(read(store, 'a'), filled(3, 1));
  clock.advance(2);
  assert.equal(read(store, 'a'), undefined);
});

test('a value that finds no room takes the older one of its key with it', () => {
  const { store } = storeOf(2);
  put(store, 'a', filled(3, 1));
  assert.equal(put(store, 'a', filled(3 * page, 2)), false);
  assert.equal(read(store, 'a'), undefined);
  assert.equal(put(store, 'k'.repeat(5000), filled(1, 1)), false, 'a key without end');
});

test('values expire, and say how long they have', () => {
  const { store, clock } = storeOf(2);
  put(store, 'a', filled(3, 1), 5);
  put(store, 'b', filled(3, 1));
  assert.deepEqual(
    [store.ttlSeconds('a'), store.ttlSeconds('b'), store.ttlSeconds('c')],
    [5, Number.POSITIVE_INFINITY, undefined],
  );
  assert.equal(store.expire('b', 2), true);
  clock.advance(2);
  const left = ['a', 'b'].map((key) => store.size(key) !== undefined);
  assert.deepEqual([left, store.stats.entries], [[true, false], 1]);
  clock.advance(3);
  assert.equal(read(store, 'a'), undefined);
});

test('a byte that changed in memory is a miss, counted, and the value is dropped', () => {
  const { store } = storeOf(4);
  put(store, 'a', filled(2 * page, 1));
  const lease = store.lease('a') ?? assert.fail();
  (lease.spans.at(-1) as Uint8Array)[7] = 2;
  lease.release();
  assert.equal(read(store, 'a'), undefined);
  const { corrupt, entries, bytes } = store.stats;
  assert.deepEqual([corrupt, entries, bytes], [1, 0, 0]);
  assert.equal(put(store, 'b', filled(4 * page, 1)), true, 'its pages are free again');
});

test('behaves as a map of a bounded size, with all pages free at the end', () => {
  const key = fc.constantFrom('a', 'b', 'c', 'd');
  const step = fc.oneof(
    fc.tuple(fc.constant('put' as const), key, fc.integer({ min: 0, max: 2 * page })),
    fc.tuple(fc.constant('abort' as const), key, fc.integer({ min: 0, max: 2 * page })),
    fc.tuple(fc.constant('get' as const), key, fc.constant(0)),
    fc.tuple(fc.constant('delete' as const), key, fc.constant(0)),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      // Room for all keys at once: nothing is evicted, so that a map is the model.
      const { store } = storeOf(10);
      const model = new Map<string, Uint8Array>();
      for (const [index, [what, name, size]] of steps.entries()) {
        const bytes = filled(size, index);
        if (what === 'put') {
          assert.ok(put(store, name, bytes));
          model.set(name, bytes);
        } else if (what === 'abort') {
          const writer = store.reserve(name, size);
          writer?.write(bytes.subarray(0, size >> 1));
          writer?.abort();
        } else if (what === 'get') assert.deepEqual(read(store, name), model.get(name));
        else assert.equal(store.delete(name), model.delete(name));
        const total = [...model.values()].reduce((sum, { length }) => sum + length, 0);
        assert.deepEqual([store.stats.entries, store.stats.bytes], [model.size, total]);
      }
      store.clear();
      assert.ok(put(store, 'all', filled(10 * page, 1)));
    }),
    { numRuns: 60 },
  );
});
