// The cache server with a bucket, with and without a disk before it.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { bucketOf } from '../../src/cli/cache/bucket-flags.ts';
import { InputError } from '../../src/core/base/index.ts';
import { CacheClient as Client, testCache } from '../support/cache.ts';
import { bytesOfKey } from '../support/cache-load.ts';
import { s3Server } from '../support/s3-server.ts';
import { until } from '../support/until.ts';

process.env['AWS_ACCESS_KEY_ID'] = 'access';
process.env['AWS_SECRET_ACCESS_KEY'] = 'secret';

const size = 1 << 20;
const keys = Array.from({ length: 8 }, (_, i) => `key-${i}`);
const set = (key: string) =>
  `*3\r\n$3\r\nSET\r\n$${key.length}\r\n${key}\r\n$${size}\r\n${bytesOfKey(key, size).toString('latin1')}\r\n`;
const replyOf = (key: string) => `$${size}\r\n${bytesOfKey(key, size).toString('latin1')}\r\n`;

for (const hasDisk of [false, true]) {
  test(`values come from a bucket after a restart${hasDisk ? ', also without the disk before it' : ''}`, async (t) => {
    const bucket = await s3Server(t);
    const folder = mkdtempSync(join(tmpdir(), 'spillway-cache-'));
    t.after(() => rmSync(folder, { recursive: true, force: true }));
    const s3 = { bucket: 'kv', prefix: '', endpoint: bucket.endpoint };
    const options = { memoryBytes: 4 * size, s3, readTimeoutMs: 60_000 };
    const disk = hasDisk ? { folder, bytesMax: 64 << 20 } : undefined;
    const server = await testCache(t, { ...options, disk });
    const client = new Client(t, server, 'redis');
    for (const key of keys) {
      await client.says(set(key), '+OK\r\n');
      await until(() => server.objectStats?.waitingBytes === 0 && !server.diskStats?.waitingBytes);
    }
    for (const key of keys) await client.says(`GET ${key}\r\n`, replyOf(key));
    await client.says('DBSIZE\r\n', ':8\r\n');
    await client.says('DEL key-1\r\n', ':1\r\n');
    if (hasDisk) assert.equal(server.objectStats?.read, 0, 'the disk is nearer');
    await server.drain(60_000);
    assert.equal(bucket.objects.size, 7);
    const again = await testCache(t, { ...options, httpPort: 0 });
    await until(() => again.objectStats?.entries === 7);
    const reader = new Client(t, again, 'redis');
    for (const key of keys) {
      await reader.says(`GET ${key}\r\n`, key === 'key-1' ? '$-1\r\n' : replyOf(key));
    }
    const url = again.urls.find((address) => address.startsWith('http:'));
    assert.match(
      await (await fetch(`${url}/metrics`)).text(),
      /\nspillway_cache_s3_read_total 7\.0\n/,
    );
  });
}

test('a bucket that hangs or lies costs misses, not time and not bytes', async (t) => {
  const bucket = await s3Server(t);
  const s3 = { bucket: 'kv', prefix: 'p/', endpoint: bucket.endpoint };
  const server = await testCache(t, { memoryBytes: 4 * size, s3, readTimeoutMs: 20 });
  const client = new Client(t, server, 'redis');
  for (const key of keys) {
    await client.says(set(key), '+OK\r\n');
    await until(() => server.objectStats?.waitingBytes === 0);
  }
  bucket.fault = () => 'hang';
  for (const key of keys.slice(0, 3)) await client.says(`GET ${key}\r\n`, '$-1\r\n');
  bucket.fault = (method) => (method === 'GET' ? 'changed' : undefined);
  await client.says('GET key-3\r\n', '$-1\r\n');
  await until(() => server.objectStats?.corrupt === 1);
  await client.says('EXISTS key-3\r\n', ':0\r\n');
});

test('what is wrong with a bucket is said', () => {
  const run =
    (...args: readonly string[]) =>
    () =>
      execFileSync(process.execPath, ['bin/spillway.mjs', 'cache', ...args], { stdio: 'pipe' });
  assert.throws(run('--s3', 'bucket'), /it must look like s3:\/\/bucket or s3:\/\/bucket\/prefix/);
  assert.throws(run('--s3-endpoint', 'http://a'), /need --s3 with a bucket/);
  assert.throws(
    run('--s3', 's3://bucket', '--s3-endpoint', 'minio'),
    /it must look like\s+http:\/\/host:9000/,
  );
});

test('credentials in the URL of a bucket or of its store are refused, and never shown', () => {
  const refused: readonly (readonly [s3: string, endpoint?: string])[] = [
    ['s3://bucket', 'http://key:hunter2@minio:9000'],
    ['s3://bucket', 'https://hunter2@minio'],
    ['s3://bucket', 'key:hunter2@minio:9000'],
    ['s3://bucket', 'http:/key:hunter2@minio'],
    ['s3://bucket', 'http://minio:9000?X-Amz-Signature=hunter2'],
    ['s3://bucket', 'http://minio:9000#hunter2'],
    ['s3://bucket', 'http://key:p@ss/hunter2@minio:9000'],
    ['s3://key:hunter2@bucket', 'http://minio:9000'],
    ['s3://bucket?secret=hunter2'],
    ['redis+sentinel://:hunter2@a:26379'],
    ['s3://bucket', 'sentinel://key:hunter2@a:26379'],
  ];
  for (const [s3, s3Endpoint] of refused) {
    assert.throws(
      () => bucketOf({ s3, ...(s3Endpoint !== undefined && { s3Endpoint }) }),
      (error) =>
        error instanceof InputError &&
        !error.message.includes('hunter2') &&
        /AWS_ACCESS_KEY_ID|Redis Sentinel/.test(error.message),
      `${s3} ${s3Endpoint}`,
    );
  }
});
