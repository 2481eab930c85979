import assert from 'node:assert/strict';
import { test } from 'node:test';
import { resolveValues } from '../../core/values/index.ts';
import { type Outage, SharedStores } from './shared-stores.ts';

const chunkBytes = 1e9;

function storesOf(cacheserverSpec: string, outage?: Outage): SharedStores {
  const text = `cacheserverSpec: ${cacheserverSpec}`;
  return new SharedStores(resolveValues({ files: [{ name: 'f', text }] }).values, outage);
}

const near = (actual: number | undefined, expected: number) =>
  assert.ok(Math.abs((actual ?? 0) - expected) < 1e-13, `${actual}, not ${expected}`);

test('without a server or an object store LMCache has nothing below', () => {
  const stores = storesOf('{}');
  assert.equal(stores.ofLmcache(chunkBytes), undefined);
  assert.equal(stores.hasServer, false);
});

test('a server answers after its lookup, over its link, and holds what it has room for', () => {
  const stores = storesOf('{enabled: true, capacityGB: 2.5, linkGbps: 80, lookupMs: 4}');
  const server = stores.ofLmcache(chunkBytes);
  assert.equal(stores.hasServer, true);
  near(server?.lookupSeconds, 0.004);
  assert.equal(server?.residencies[0]?.chunksMax, 2);
  // 1e9 bytes at 10 GB/s, and a round trip.
  near(server?.write(['a'], 0), 0.1002);
  near(server?.readSeconds(['a'], 1), 0.1002);
  assert.equal(stores.ofLmcache(chunkBytes), server, 'all engines share it');
});

test('an object store answers requests at once in rounds of its latency', () => {
  const stores = storesOf(
    '{objectStore: {enabled: true, latencyMs: 50, requestMBps: 100, connections: 2, linkGbps: 80}}',
  );
  const object = stores.ofLmcache(chunkBytes);
  assert.equal(stores.hasServer, false);
  assert.equal(object, stores.object(chunkBytes));
  near(object?.lookupSeconds, 0.05);
  assert.equal(object?.residencies[0]?.chunksMax, Infinity);
  // 1e9 bytes at 0.1 GB/s; two at once, the third in a second round.
  near(object?.readSeconds(['a'], 0), 10.05);
  near(object?.readSeconds(['a', 'b', 'c'], 0), 20.1);
});

test('the link to an object store limits its requests together', () => {
  const object = storesOf(
    '{objectStore: {enabled: true, latencyMs: 0, requestMBps: 1000, connections: 4, linkGbps: 8}}',
  ).object(chunkBytes);
  // 4e9 bytes at 1 GB/s, although four requests could carry 4 GB/s.
  near(object.readSeconds(['a', 'b', 'c', 'd'], 0), 4);
});

test('a server keeps what it has no room for in the object store, and an outage takes its own', () => {
  const outage = { fromSeconds: 100, untilSeconds: 200 };
  const text = '{enabled: true, capacityGB: 1, objectStore: {enabled: true}}';
  const server = storesOf(text, outage).ofLmcache(chunkBytes);
  assert.deepEqual(
    server?.residencies.map(({ name }) => name),
    ['shared', 'object'],
  );
  server?.write(['a', 'b'], 0);
  assert.equal(server?.has('a', 90), true);
  assert.equal(server?.has('a', 150), false);
  assert.equal(server?.has('a', 200), true);
});

test('a folder that engines mount has room for all', () => {
  const link = { bytesPerSecond: 1e9 };
  const stores = storesOf('{}');
  const folder = stores.folder(chunkBytes, { read: link, write: link });
  assert.equal(folder.residencies[0]?.chunksMax, Infinity);
  near(folder.readSeconds(['a'], 0), 1);
  assert.equal(stores.folder(chunkBytes, { read: link, write: link }), folder);
});
