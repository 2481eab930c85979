// Several cache servers that share keys: each value is found through any of them, and a dead one costs misses only.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { CacheServer } from '../../src/apps/cache/index.ts';
import { SlotOwners } from '../../src/apps/cache/slot-owners.ts';
import { syntheticKv } from '../../src/core/kv/index.ts';
import {
  type CacheClient,
  openCacheClient,
  parseCacheUrl,
} from '../../src/io/cache-client/index.ts';
import { freePorts } from '../../src/io/processes/index.ts';
import { peersKey, testCache } from '../support/cache.ts';
import { until } from '../support/until.ts';

const valueBytes = 100_000;
const keys = Array.from({ length: 30 }, (_, i) => `m@1@0@${(i * 7919).toString(16)}@bfloat16`);

const ownersOf = (key: string, names: readonly string[], copies: number) =>
  new SlotOwners(names, copies).ofKey(key);

interface Group {
  readonly servers: readonly CacheServer[];
  readonly names: readonly string[];
  client(server: number, scheme: 'lm' | 'redis'): CacheClient;
}

async function group(
  t: TestContext,
  count: number,
  copies: number,
  { password, memoryBytes = 64 << 20 }: { password?: string; memoryBytes?: number } = {},
): Promise<Group> {
  const ports = await freePorts(count);
  const names = ports.map((port) => `127.0.0.1:${port}`);
  const servers = await Promise.all(
    ports.map((respPort, i) =>
      testCache(t, {
        ...{ respPort, password, memoryBytes },
        peers: {
          ...{ self: names[i] as string, members: names, copies },
          handOverBytesPerSecond: 2 ** 40,
          key: peersKey,
        },
      }),
    ),
  );
  return {
    ...{ servers, names },
    client(server, scheme) {
      const url = servers[server]?.urls.find((one) => one.startsWith(scheme)) as string;
      const address = {
        ...parseCacheUrl(url, 'URL'),
        password: scheme === 'lm' ? undefined : password,
      };
      const client = openCacheClient(address, { timeoutMs: 10_000, retryMs: 0 });
      t.after(() => client.close());
      return client;
    },
  };
}

async function put(client: CacheClient, some: readonly string[]): Promise<void> {
  for (const key of some) {
    const value = new Uint8Array(valueBytes);
    syntheticKv(key).fill(value, 0);
    await client.put(key, value);
  }
  // lm:// has no reply to PUT.
  await client.exists(some[0] as string);
}

/** @returns The number of keys that were found; each byte of them is compared. */
async function found(client: CacheClient, some: readonly string[]): Promise<number> {
  let hits = 0;
  for (const key of some) {
    const isThere = await client.exists(key);
    const size = await client.get(key, (bytes, offset) => {
      assert.ok(syntheticKv(key).matches(bytes, offset), key);
    });
    assert.equal(size !== undefined, isThere, 'what EXISTS reported is there');
    if (size !== undefined) hits++;
  }
  return hits;
}

async function copied({ servers }: Group, values: number): Promise<void> {
  await until(() => {
    const sent = servers.map(
      ({ peers }) => (peers?.stats.copied ?? 0) + (peers?.stats.dropped ?? 0),
    );
    return sent.reduce((total, one) => total + one, 0) >= values;
  });
}

test('a server that is full keeps its own values, and drops copies for others', async (t) => {
  const values = Array.from({ length: 60 }, (_, i) => `m@1@0@${(i * 6151).toString(16)}@bfloat16`);
  const all = await group(t, 2, 2, { memoryBytes: 5 << 20 });
  const owner = (key: string) => all.names.indexOf(ownersOf(key, all.names, 2)[0] as string);
  const own = [0, 1].map((server) => values.filter((key) => owner(key) === server));
  for (const server of [0, 1]) await put(all.client(server, 'redis'), own[server] ?? []);
  await copied(all, values.length);
  for (const server of [0, 1]) {
    const mine = own[server] as string[];
    assert.ok(mine.length > 20 && mine.length < 40);
    const { store } = all.servers[server] as CacheServer;
    assert.ok(store.stats.entries < values.length, 'not all of them fit');
    assert.equal(mine.filter((key) => store.size(key) !== undefined).length, mine.length);
  }
});

for (const scheme of ['lm', 'redis'] as const) {
  test(`${scheme}: what one server got is found through every other one`, async (t) => {
    const all = await group(t, 3, 1);
    await put(all.client(0, scheme), keys);
    const away = keys.filter((key) => ownersOf(key, all.names, 1)[0] !== all.names[0]);
    assert.ok(away.length > 10);
    await copied(all, away.length);
    for (const server of [0, 1, 2]) {
      // Those that the first server keeps for itself come from there.
      assert.equal(await found(all.client(server, scheme), keys), keys.length);
    }
    assert.equal(await all.client(1, scheme).get('never', () => {}), undefined);
  });
}

test('with two copies, a server that dies costs nothing; with one, its keys only', async (t) => {
  for (const [copies, expected] of [
    [2, keys.length],
    [1, undefined],
  ] as const) {
    const all = await group(t, 3, copies, { password: 'secret' });
    await put(all.client(0, 'redis'), keys);
    const owned = (name: string | undefined) =>
      keys.filter((key) => ownersOf(key, all.names, copies).includes(name as string)).length;
    await copied(all, owned(all.names[1]) + owned(all.names[2]));
    await all.servers[1]?.close();
    // The first server has copies of its own; the third one has not.
    const own = keys.filter((key) => ownersOf(key, all.names, copies)[0] !== all.names[1]);
    const hits = await found(all.client(2, 'redis'), keys);
    assert.equal(hits, expected ?? own.length);
  }
});

test('a server that leaves hands its keys over, and one that joins gets its share', async (t) => {
  const all = await group(t, 3, 1);
  const [a, b, c] = all.servers as [CacheServer, CacheServer, CacheServer];
  await put(all.client(0, 'redis'), keys);
  const left = all.names.slice(0, 2);
  const ofThird = keys.filter((key) => ownersOf(key, all.names, 1)[0] === all.names[2]);
  const away = keys.filter((key) => ownersOf(key, all.names, 1)[0] !== all.names[0]);
  await copied(all, away.length);
  // What the first server has beside its own keys must not be what is found later.
  for (const key of ofThird) a.store.delete(key);
  await Promise.all([a.peers?.change(left), b.peers?.change(left)]);
  await c.drain(5000);
  assert.equal(c.peers?.stats.handed_over, ofThird.length);
  assert.equal(await found(all.client(1, 'redis'), keys), keys.length);

  const [port = 0] = await freePorts(1);
  const name = `127.0.0.1:${port}`;
  const joined = [...left, name];
  const d = await testCache(t, {
    respPort: port,
    peers: {
      self: name,
      members: joined,
      copies: 1,
      handOverBytesPerSecond: 2 ** 40,
      key: peersKey,
    },
  });
  await Promise.all([a.peers?.change(joined), b.peers?.change(joined)]);
  const share = keys.filter((key) => ownersOf(key, joined, 1)[0] === name);
  assert.ok(share.length > 3);
  assert.deepEqual(
    share.filter((key) => d.store.size(key) !== valueBytes),
    [],
  );
});

test('DEL and FLUSHALL reach all servers, and a time of expiry goes with its value', async (t) => {
  const all = await group(t, 2, 2);
  const [a, b] = all.servers as [CacheServer, CacheServer];
  await put(all.client(0, 'redis'), keys.slice(0, 4));
  await copied(all, 4);
  const key = keys[0] as string;
  a.store.delete(key);
  a.store.others?.deleted([key]);
  await until(() => b.store.size(key) === undefined);
  a.store.expire(keys[1] as string, 1000);
  a.store.others?.stored(keys[1] as string);
  await until(() => (b.store.ttlSeconds(keys[1] as string) ?? 0) < 1001);
  a.store.others?.cleared();
  await until(() => b.store.entries === 0);
});
