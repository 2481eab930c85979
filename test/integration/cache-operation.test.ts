// Running the cache server: metrics, health, limits, and its end.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { CacheServer } from '../../src/apps/cache/index.ts';
import { CacheClient as Client, testCache } from '../support/cache.ts';
import { until } from '../support/until.ts';

async function get(server: CacheServer, path: string, init?: RequestInit) {
  const url = server.urls.find((address) => address.startsWith('http:'));
  const response = await fetch(`${url}${path}`, init);
  return { status: response.status, text: await response.text() };
}

const withHttp = (t: TestContext, options = {}) => testCache(t, { httpPort: 0, ...options });

test('/metrics counts requests, bytes, hits, misses and closed connections by protocol', async (t) => {
  const server = await withHttp(t);
  const [lm, resp] = [new Client(t, server, 'lm'), new Client(t, server, 'redis')];
  await lm.putLm('k', Buffer.alloc(1000));
  await resp.says('GET nothing\r\n', '$-1\r\n');
  await resp.says(
    'LPUSH k v\r\n',
    "-ERR unknown command 'LPUSH', with args beginning with: 'k' 'v' \r\n",
  );
  await resp.ask('GET "\r\n', 10);
  await until(() => resp.isClosed);
  const { status, text } = await get(server, '/metrics');
  assert.equal(status, 200);
  for (const line of [
    'spillway_cache_values 1.0',
    'spillway_cache_memory_bytes 1000.0',
    'spillway_cache_memory_max_bytes 6.7108864e+07',
    'spillway_cache_misses_total 1.0',
    'spillway_cache_requests_total{command="put",protocol="lm"} 1.0',
    'spillway_cache_requests_total{command="get",protocol="resp"} 1.0',
    'spillway_cache_requests_total{command="unknown",protocol="resp"} 1.0',
    'spillway_cache_received_bytes_total{protocol="lm"} 1372.0',
    'spillway_cache_sent_bytes_total{protocol="lm"} 36.0',
    'spillway_cache_connections{protocol="lm"} 1.0',
    'spillway_cache_connections{protocol="resp"} 0.0',
    'spillway_cache_accepted_connections_total{protocol="resp"} 1.0',
    'spillway_cache_closed_connections_total{protocol="resp",reason="syntax"} 1.0',
  ]) {
    assert.ok(text.includes(`\n${line}\n`), `${line} is not in\n${text}`);
  }
});

test('/health, /ready and /stats, and nothing else', async (t) => {
  const server = await withHttp(t);
  assert.deepEqual(await get(server, '/health'), { status: 200, text: '{"status":"ok"}' });
  assert.deepEqual(await get(server, '/ready?x'), { status: 200, text: '{"status":"ready"}' });
  const stats = JSON.parse((await get(server, '/stats')).text);
  assert.equal(stats.memory.bytesMax, 64 << 20);
  assert.deepEqual(stats.connections, { lm: 0, resp: 0 });
  assert.equal((await get(server, '/x')).status, 404);
  assert.equal((await get(server, '/health', { method: 'POST' })).status, 405);
  assert.deepEqual(await get(server, '/health', { method: 'HEAD' }), { status: 200, text: '' });
});

test('one connection more than the maximum is told so, and counted', async (t) => {
  const server = await withHttp(t, { connectionsMax: 1 });
  const first = new Client(t, server, 'redis');
  await first.says('PING\r\n', '+PONG\r\n');
  const second = new Client(t, server, 'redis');
  await until(() => second.isClosed);
  assert.equal(second.received.toString(), '-ERR max number of clients reached\r\n');
  const third = new Client(t, server, 'lm');
  await until(() => third.isClosed);
  const { text } = await get(server, '/metrics');
  assert.match(text, /rejected_connections_total\{protocol="resp"\} 1\.0/);
  assert.match(text, /rejected_connections_total\{protocol="lm"\} 1\.0/);
  await first.says('PING\r\n', '+PONG\r\n');
});

test('a value above the maximum is an error for Redis clients, and a miss over lm://', async (t) => {
  const server = await testCache(t, { valueBytesMax: 100_000 });
  const client = new Client(t, server, 'redis');
  const set = (size: number) => `*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$${size}\r\n${'v'.repeat(size)}\r\n`;
  await client.says(set(100_000), '+OK\r\n');
  await client.says(set(100_001), '-ERR the value has 100001 bytes; the maximum is 100000\r\n');
  await client.says('STRLEN k\r\n', ':100000\r\n');
  const lm = new Client(t, server, 'lm');
  lm.socket.write(Client.lmPut('large', Buffer.alloc(100_001)));
  assert.equal((await lm.askLm(3, 'large')).readInt32LE(0), 400);
  assert.equal(server.store.stats.refused, 1);
});

test('a drain ends idle connections at once and busy ones after their request', async (t) => {
  const server = await withHttp(t);
  const body = Buffer.alloc(100_000, 'x');
  const [idle, uploading, reading] = (['redis', 'lm', 'redis'] as const).map(
    (scheme) => new Client(t, server, scheme),
  ) as [Client, Client, Client];
  await idle.says('SET big v\r\n', '+OK\r\n');
  const value = 'y'.repeat(8 << 20);
  await reading.says(`*3\r\n$3\r\nSET\r\n$3\r\nbig\r\n$${value.length}\r\n${value}\r\n`, '+OK\r\n');
  reading.socket.pause();
  reading.socket.write('GET big\r\n');
  uploading.socket.write(Client.lmPut('k', body).subarray(0, 5000));
  await until(() => server.store.stats.hits === 1);
  await until(async () => (await get(server, '/metrics')).text.includes('command="put"'));
  const drained = server.drain(60_000);
  await until(() => idle.isClosed);
  assert.equal((await get(server, '/ready')).status, 503);
  assert.equal((await get(server, '/health')).status, 200);
  const late = new Client(t, server, 'redis');
  await until(() => late.isClosed);
  reading.socket.resume();
  await until(() => reading.isClosed);
  assert.equal(reading.received.length, `$${value.length}\r\n`.length + value.length + 2);
  assert.equal(server.store.size('k'), undefined);
  uploading.socket.write(Client.lmPut('k', body).subarray(5000));
  await drained;
  assert.equal(server.store.size('k'), body.length);
});

test('a drain has an end', async (t) => {
  const server = await testCache(t);
  const client = new Client(t, server, 'lm');
  client.socket.write(Client.lmPut('k', Buffer.alloc(1000)).subarray(0, 500));
  const other = new Client(t, server, 'redis');
  await other.says('PING\r\n', '+PONG\r\n');
  await server.drain(20);
  await until(() => client.isClosed);
  assert.equal(server.store.size('k'), undefined);
});
