// A client against the real server, and against servers that hang, break off and send nonsense.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { testCache } from '../../../test/support/cache.ts';
import { InputError, NoResponseError } from '../../core/base/index.ts';
import { syntheticKv } from '../../core/kv/index.ts';
import { type CacheClient, openCacheClient, parseCacheUrl } from './index.ts';

function clientOf(t: TestContext, url: string, timeoutMs = 5000): CacheClient {
  const client = openCacheClient(parseCacheUrl(url, 'URL'), { timeoutMs, retryMs: 0 });
  t.after(() => client.close());
  return client;
}

for (const scheme of ['lm', 'redis'] as const) {
  test(`${scheme}: values come back byte for byte, many requests at once`, async (t) => {
    const server = await testCache(t);
    const client = clientOf(t, server.urls.find((url) => url.startsWith(scheme)) as string);
    const keys = Array.from({ length: 20 }, (_, i) => `key ${i}`);
    assert.equal(await client.exists('key 0'), false);
    await Promise.all(
      keys.map((key, i) => {
        const value = new Uint8Array(i * 50_000);
        syntheticKv(key).fill(value, 0);
        return client.put(key, value);
      }),
    );
    const right = await Promise.all(
      keys.map(async (key, i) => {
        let isRight = await client.exists(key);
        const size = await client.get(key, (bytes, offset) => {
          isRight &&= syntheticKv(key).matches(bytes, offset);
        });
        return isRight && size === i * 50_000;
      }),
    );
    assert.ok(right.every((one) => one));
    assert.equal(await client.get('nobody', () => assert.fail('a miss has no bytes')), undefined);
  });

  test(`${scheme}: a server that hangs costs its deadline, and everything that waits fails with it`, async (t) => {
    const port = await scripted(t, () => {});
    const client = clientOf(t, `${scheme}://127.0.0.1:${port}`, 50);
    const both = [client.exists('a'), client.get('b', () => {})];
    for (const one of both) await assert.rejects(one, NoResponseError);
  });

  test(`${scheme}: a reply that breaks off is an error, and the next call connects again`, async (t) => {
    let connections = 0;
    const port = await scripted(t, (socket) => {
      connections++;
      const half = Buffer.alloc(20, 'x');
      half.writeInt32LE(200, 0);
      socket.once('data', () => socket.end(scheme === 'lm' ? half : '+OK\r\n$100\r\nabc'));
    });
    const client = clientOf(t, `${scheme}://127.0.0.1:${port}`);
    await assert.rejects(
      client.get('a', () => {}),
      /closed the connection/,
    );
    await assert.rejects(
      client.get('a', () => {}),
      /closed the connection/,
    );
    assert.equal(connections, 2);
  });
}

test('a server that is gone is one sentence; for a while, calls fail at once', async (t) => {
  const port = await scripted(t, () => {});
  const closed = createServer().listen(0);
  await once(closed, 'listening');
  const { port: free } = closed.address() as AddressInfo;
  closed.close();
  await once(closed, 'close');
  assert.notEqual(free, port);
  const client = openCacheClient(parseCacheUrl(`lm://127.0.0.1:${free}`, 'URL'), {
    retryMs: 60_000,
  });
  t.after(() => client.close());
  const sentence = new RegExp(`cache server at 127.0.0.1:${free}: ECONNREFUSED`);
  await assert.rejects(client.exists('a'), sentence);
  await assert.rejects(client.exists('a'), sentence);
  await assert.rejects(client.put('a', new Uint8Array(10)), sentence);
});

test('a password reaches the server; without it, each command is refused in one sentence', async (t) => {
  const server = await testCache(t, { password: 'p@ss' });
  const { port } = new URL(server.urls.find((url) => url.startsWith('redis')) as string);
  const client = clientOf(t, `redis://:p%40ss@127.0.0.1:${port}`);
  assert.equal(await client.exists('a'), false);
  const stranger = clientOf(t, `redis://127.0.0.1:${port}`);
  await assert.rejects(stranger.exists('a'), /refused EXISTS: NOAUTH/);
});

test('a URL that is none is refused in one sentence', () => {
  for (const url of ['', 'lm:', 'http://a:1', 'lm://a:1/x', 'redis://a:1/3', 'lm://u:p@a:1']) {
    assert.throws(() => parseCacheUrl(url, 'URL'), InputError, url);
  }
  const address = parseCacheUrl('valkey://user:word@[::1]/0', 'URL');
  const own = { host: '::1', port: 6379, user: 'user', password: 'word' };
  assert.deepEqual(address, { protocol: 'resp', isTls: false, ...own });
  const secure = ['lm', 'lms', 'redis', 'rediss', 'valkey', 'valkeys'].map(
    (scheme) => parseCacheUrl(`${scheme}://a:1`, 'URL').isTls,
  );
  assert.deepEqual(secure, [false, true, false, true, false, true]);
});

async function scripted(t: TestContext, serve: (socket: Socket) => void): Promise<number> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    serve(socket);
  }).listen(0, '127.0.0.1');
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

test('a store that only LMCache’s own connectors speak to is refused with what to use instead', () => {
  for (const url of [
    'mooncakestore://127.0.0.1:50051/',
    's3://bucket',
    'FS:///tmp',
    'redis-cluster://a:1',
  ]) {
    assert.throws(
      () => parseCacheUrl(url, 'remote_url'),
      /is not spoken to: use lm:\/\/HOST:PORT or redis:\/\/HOST:PORT of "spillway cache".*or leave it out/,
      url,
    );
  }
  assert.throws(() => parseCacheUrl('lmm://a:1', 'remote_url'), /must look like lm:/);
});

test('a password with a bare percent sign is refused without being shown', () => {
  assert.throws(
    () => parseCacheUrl('redis://ann:100%secret@host:6379', 'LMCACHE_REMOTE_URL'),
    (error) =>
      error instanceof InputError &&
      /^LMCACHE_REMOTE_URL: .*"redis:\/\/host:6379".*write %25 for %\.$/.test(error.message) &&
      !error.message.includes('secret'),
  );
  assert.equal(parseCacheUrl('redis://ann:100%25@host', 'URL').password, '100%');
});
