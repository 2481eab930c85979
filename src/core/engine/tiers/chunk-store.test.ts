import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ChunkStore, type ChunkStoreOptions, TransferLink } from '../index.ts';

function storeOf(options: Partial<ChunkStoreOptions>): ChunkStore {
  const link = { bytesPerSecond: 1 };
  return new ChunkStore({
    ...{ name: 'store', chunksMax: 100, chunkBytes: 1, read: link, write: link },
    ...options,
  });
}

test('an object store serves many concurrent requests, in rounds of its latency', () => {
  const options = {
    ...{ bytesPerSecond: 1000, latencySeconds: 0.1 },
    requests: { atOnceMax: 4, bytesPerSecond: 10 },
  };
  const link = new TransferLink(options);
  // One object of 10 bytes: 0.1 + 1 s; eight: two rounds of that.
  assert.equal(link.transfer(10, 0), 1.1);
  assert.equal(new TransferLink(options).transfer(80, 0, 8), 2.2);
  // Two clients at the same time do not wait for each other's rounds, only for the shared rate.
  const shared = new TransferLink(options);
  shared.transfer(80, 0, 8);
  assert.equal(shared.transfer(80, 0, 8), 2.2);
  const one = new TransferLink({ ...options, requests: { atOnceMax: 1, bytesPerSecond: 10 } });
  assert.equal(one.transfer(20, 0, 2), 2.2, 'one request after the other');
  for (const requests of [
    { atOnceMax: 0, bytesPerSecond: 10 },
    { atOnceMax: 1, bytesPerSecond: 0 },
  ]) {
    assert.throws(() => new TransferLink({ ...options, requests }), /A store cannot serve/);
  }
  const narrow = new TransferLink({ ...options, bytesPerSecond: 20 });
  assert.equal(narrow.transfer(80, 0, 8), 4.1);
  assert.equal(narrow.transfer(80, 0, 8), 8.1);
});

test('finds chunks that do not fit into a store in the store below, and keeps them once read', () => {
  const object = storeOf({ name: 'object' });
  const server = storeOf({ name: 'server', chunksMax: 1, below: object });
  server.write(['a', 'b'], 0);
  assert.equal(server.has('a', 1), false, 'evicted here at 1 s, written below at 3 s');
  assert.equal(server.has('a', 3), true);
  assert.deepEqual(
    [server.readSeconds(['a'], 10), server.readSeconds(['b'], 10)],
    [2, 1],
    'an estimate moves nothing',
  );
  assert.equal(server.read(['a'], 10), 12, '1 s from below, 1 s from the server');
  assert.equal(server.read(['a'], 20), 21, 'now from the server alone');
  assert.deepEqual(
    server.residencies.map(({ name, chunks }) => [name, chunks]),
    [
      ['server', 1],
      ['object', 2],
    ],
  );
});

test('a restarted server finds the chunks of the object store below it', () => {
  const server = storeOf({
    below: storeOf({ name: 'object' }),
    outage: { fromSeconds: 10, untilSeconds: 20 },
  });
  server.write(['a'], 0);
  assert.deepEqual(
    [5, 12, 25].map((now) => server.has('a', now)),
    [true, false, true],
  );
  assert.equal(server.read(['a'], 25), 27, 'from below');
});

test('writes equal chunks of two engines once', () => {
  const store = storeOf({});
  assert.equal(store.write(['a', 'b'], 0), 2);
  assert.equal(store.write(['a', 'b'], 5), undefined);
});

test('emptying a store empties the one below it', () => {
  const object = storeOf({ name: 'object' });
  const server = storeOf({ name: 'server', chunksMax: 1, below: object });
  server.write(['a', 'b'], 0);
  server.clear();
  assert.deepEqual(
    server.residencies.map(({ chunks }) => chunks),
    [0, 0],
  );
  assert.equal(server.has('a', 99), false);
});

test('a store reports its contents, and never moves anything that a request waits for', () => {
  const store = storeOf({ chunkBytes: 3, chunksMax: 5 });
  store.write(['a', 'b'], 0);
  assert.deepEqual(store.residencies, [
    { name: 'store', chunks: 2, chunksMax: 5, bytes: 6, writingShare: 0, readingShare: 0 },
  ]);
});

test('what a store can serve alone costs nothing below it', () => {
  const read = { bytesPerSecond: 1, latencySeconds: 0.5 };
  const below = storeOf({ name: 'object', read });
  const server = storeOf({ name: 'server', read, below });
  server.write(['a'], 0);
  assert.equal(server.read(['a'], 10), 11.5);
});
