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
  const writer = store.receive(key, bytes.length);
  writer.write(bytes);
  return writer.commit(ttlSeconds);
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
        const writer = store.receive('k', size, label);
        const edges = [0, ...cuts.map((cut) => Math.min(cut, size)).sort((a, b) => a - b), size];
        edges.slice(1).forEach((end, i) => {
          const piece = bytes.subarray(edges[i], end);
          // Every other piece is received in its place.
          const space = i % 2 === 1 ? writer.space() : undefined;
          const inPlace = piece.subarray(0, space?.length ?? 0);
          space?.set(inPlace);
          if (space !== undefined) writer.filled(inPlace.length);
          writer.write(piece.subarray(inPlace.length));
        });
        assert.equal(writer.space(), undefined);
        assert.equal(writer.checksum, crc32(bytes));
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
  const writer = store.receive('k', 10);
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

test('copies for other servers make room first, take none from own values, and are own once they are read', () => {
  const { store } = storeOf(4);
  const putCopy = (key: string) => {
    const writer = store.receive(key, page, undefined, true);
    writer.write(filled(page, 1));
    return writer.commit();
  };
  const there = () => [...store.keys()].sort().join('');
  for (const key of ['c', 'd']) assert.ok(putCopy(key));
  for (const key of ['a', 'b']) assert.ok(put(store, key, filled(page, 2)));
  assert.ok(putCopy('e'));
  assert.equal(there(), 'abde', 'a copy took the place of the oldest copy');
  assert.ok(read(store, 'd'));
  assert.ok(put(store, 'f', filled(page, 2)));
  assert.equal(there(), 'abdf', 'the copy that was not read went before older values');
  assert.equal(putCopy('g'), false);
  assert.equal(there(), 'abdf');
  assert.ok(put(store, 'h', filled(page, 2)));
  assert.equal(there(), 'bdfh', 'a copy that was read goes in its turn');
  store.clear();
  assert.ok(put(store, 'z', filled(4 * page, 1)), 'no page is lost');
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

test('asking again and again does not keep a value beyond its time', () => {
  const { store, clock } = storeOf(1);
  put(store, 'a', filled(3, 1), 5);
  for (let second = 0; second < 15; second++) {
    assert.equal(store.exists('a'), true, `${second} s`);
    clock.advance(1);
  }
  assert.equal(store.exists('a'), false);
});

test('promises hold half of the memory at most; the oldest ones are given up first', () => {
  const { store } = storeOf(8);
  for (let i = 0; i < 8; i++) put(store, `k${i}`, filled(page, i));
  for (let i = 0; i < 8; i++) store.exists(`k${i}`);
  assert.equal(put(store, 'new', filled(4 * page, 1)), true);
  assert.deepEqual(
    [0, 3, 4, 7].map((i) => store.size(`k${i}`) !== undefined),
    [false, false, true, true],
  );
  assert.equal(put(store, 'more', filled(6 * page, 1)), false, 'these are promised');
});

test('an announced value evicts nothing until its bytes arrive', () => {
  const { store } = storeOf(40);
  for (let i = 0; i < 40; i++) put(store, `k${i}`, filled(page, i));
  const writer = store.receive('big', 40 * page);
  assert.equal(store.stats.entries, 40);
  writer.write(filled(1, 1));
  assert.equal(store.stats.entries, 24, '1 MiB at a time');
  writer.abort();
  assert.equal(put(store, 'other', filled(16 * page, 1)), true);
  assert.equal(store.stats.entries, 25);
});

test('a value without room is counted to its end, and its memory is free at once', () => {
  const { store } = storeOf(4);
  put(store, 'held', filled(page, 1));
  store.exists('held');
  const writer = store.receive('k', 4 * page);
  writer.write(filled(2 * page, 1));
  assert.equal(put(store, 'other', filled(3 * page, 1)), true);
  writer.write(filled(2 * page, 1));
  assert.throws(() => writer.write(filled(1, 1)), RangeError);
  assert.equal(writer.commit(), false);
});

test('a scan reports keys that are read and replaced meanwhile, once, and none that expired', () => {
  const { store, clock } = storeOf(8);
  for (const key of ['a', 'b', 'c', 'd']) put(store, key, filled(1, 1));
  put(store, 'e', filled(1, 1), 5);
  const first = store.scan(0, 2);
  read(store, 'c');
  put(store, 'a', filled(1, 2));
  store.exists('d');
  clock.advance(6);
  const second = store.scan(first.next, 9);
  assert.deepEqual([first.keys, second], [['a', 'b'], { keys: ['c', 'd'], next: 0 }]);
});

test('a time that is over deletes, and stores nothing', () => {
  const { store } = storeOf(2);
  put(store, 'a', filled(1, 1));
  assert.equal(put(store, 'a', filled(1, 2), 0), true);
  assert.equal(read(store, 'a'), undefined);
  put(store, 'a', filled(1, 1));
  store.exists('a');
  assert.equal(store.expire('a', -1), true);
  assert.deepEqual([store.exists('a'), store.scan(0, 9).keys], [false, []]);
  assert.equal(put(store, 'all', filled(2 * page, 1)), true);
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
          const writer = store.receive(name, size);
          writer.write(bytes.subarray(0, size >> 1));
          writer.abort();
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
