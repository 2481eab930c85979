// The cache server over TLS, with certificates of test/support/tls.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect as connectPlain } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { createSecureContext, connect as tlsConnect } from 'node:tls';
import { promisify } from 'node:util';
import type { CacheServer } from '../../src/apps/cache/index.ts';
import { syntheticKv } from '../../src/core/kv/index.ts';
import { openCacheClient, parseCacheUrl } from '../../src/io/cache-client/index.ts';
import { freePorts } from '../../src/io/processes/index.ts';
import { peersKey, testCache } from '../support/cache.ts';
import { until } from '../support/until.ts';

const fixture = (name: string) => join(import.meta.dirname, '..', 'support', 'tls', `${name}.pem`);
const text = (name: string) => readFileSync(fixture(name), 'utf8');
const quiet = { info() {}, warning() {} };
const server = { cert: fixture('server-cert'), key: fixture('server-key'), log: quiet };
const trusting = (own: { cert?: string; key?: string } = {}) => {
  const context = createSecureContext({ ca: text('ca-cert'), ...own });
  return { context: () => context };
};

/** The URL of a scheme, with the name that the certificate has. */
const urlOf = ({ urls }: CacheServer, scheme: string) =>
  (urls.find((url) => url.startsWith(`${scheme}:`)) ?? assert.fail(urls.join())).replace(
    '127.0.0.1',
    'localhost',
  );

function clientOf(t: TestContext, url: string, tls = trusting()) {
  const client = openCacheClient(parseCacheUrl(url, 'URL'), { timeoutMs: 5000, retryMs: 0, tls });
  t.after(() => client.close());
  return client;
}

for (const scheme of ['lms', 'rediss']) {
  test(`${scheme}: values of all sizes come back byte for byte over TLS`, async (t) => {
    const client = clientOf(t, urlOf(await testCache(t, { tls: server }), scheme));
    for (const size of [0, 1, 65_535, 300_001, 20 << 20]) {
      const key = `key ${size}`;
      const value = new Uint8Array(size);
      syntheticKv(key).fill(value, 0);
      await client.put(key, value);
      assert.equal(await client.exists(key), true);
      let isRight = true;
      const length = await client.get(key, (bytes, offset) => {
        isRight &&= syntheticKv(key).matches(bytes, offset);
      });
      assert.deepEqual([length, isRight], [size, true]);
    }
    assert.equal(await client.get('nothing', () => {}), undefined);
  });
}

test('a client that does not trust the certificate, or expects another name, sends nothing', async (t) => {
  const url = urlOf(await testCache(t, { tls: server }), 'rediss');
  const stranger = openCacheClient(parseCacheUrl(url, 'URL'), { timeoutMs: 5000, retryMs: 0 });
  t.after(() => stranger.close());
  await assert.rejects(stranger.exists('a'), /UNABLE_TO_VERIFY_LEAF_SIGNATURE|SELF_SIGNED/);
  const other = { ...trusting(), serverName: 'cache.example' };
  await assert.rejects(clientOf(t, url, other).exists('a'), /ERR_TLS_CERT_ALTNAME_INVALID/);
});

test('plain clients are disconnected, and clients without a certificate where one is required', async (t) => {
  const mutual = await testCache(t, { tls: { ...server, clientCa: fixture('ca-cert') } });
  const url = urlOf(mutual, 'rediss');
  const plain = connectPlain(Number(new URL(url).port), '127.0.0.1');
  t.after(() => plain.destroy());
  plain.on('error', () => {});
  plain.write('PING\r\n');
  let received = '';
  plain.on('data', (bytes) => {
    received += bytes.toString('latin1');
  });
  await until(() => plain.closed);
  assert.doesNotMatch(received, /PONG/);
  await assert.rejects(clientOf(t, url).exists('a'));
  const strange = { cert: text('stranger-cert'), key: text('stranger-key') };
  await assert.rejects(clientOf(t, url, trusting(strange)).exists('a'));
  const known = trusting({ cert: text('client-cert'), key: text('client-key') });
  assert.equal(await clientOf(t, url, known).exists('a'), false);
});

test('a renewed certificate is used by new connections, and open ones go on', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'spillway-cache-tls-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const put = (version: string) => {
    for (const part of ['cert', 'key']) {
      copyFileSync(fixture(`${version}-${part}`), join(folder, `${part}.pem`));
    }
  };
  put('server');
  const cache = await testCache(t, {
    tls: { ...server, cert: join(folder, 'cert.pem'), key: join(folder, 'key.pem'), pollMs: 10 },
  });
  const url = urlOf(cache, 'rediss');
  const old = clientOf(t, url);
  assert.equal(await old.exists('a'), false);
  const served = async () => {
    const socket = tlsConnect({
      ...{ host: 'localhost', port: Number(new URL(url).port), ca: text('ca-cert') },
    });
    await new Promise((resolve) => socket.once('secureConnect', resolve));
    const { serialNumber } = socket.getPeerCertificate();
    socket.destroy();
    return serialNumber;
  };
  const before = await served();
  put('server-next');
  await until(async () => (await served()) !== before);
  assert.equal(await old.exists('a'), false);
});

test('a slow client of a large value holds no second copy of it, and nobody waits', async (t) => {
  const cache = await testCache(t, { tls: server, memoryBytes: 256 << 20 });
  const url = urlOf(cache, 'rediss');
  const client = clientOf(t, url);
  await client.put('k', new Uint8Array(64 << 20));
  const slow = await Promise.all(
    Array.from({ length: 8 }, async () => {
      const socket = tlsConnect({
        ...{ host: 'localhost', port: Number(new URL(url).port), ca: text('ca-cert') },
      });
      t.after(() => socket.destroy());
      await new Promise((resolve) => socket.once('secureConnect', resolve));
      return socket.pause();
    }),
  );
  const before = process.memoryUsage();
  for (const socket of slow) socket.write('GET k\r\n');
  await until(() => cache.store.stats.hits === slow.length);
  assert.equal(await client.exists('k'), true);
  const after = process.memoryUsage();
  // Encrypted at once, they would take 512 MiB.
  assert.ok(after.rss - before.rss < 128 << 20, `${(after.rss - before.rss) >> 20} MiB more`);
});

test('servers that share keys trust each other by --tls-ca, with their own certificates as clients', async (t) => {
  const ports = await freePorts(2);
  const members = ports.map((port) => `localhost:${port}`);
  const start = (i: number) =>
    testCache(t, {
      respPort: ports[i] as number,
      tls: { ...server, ca: fixture('ca-cert') },
      peers: {
        ...{ self: members[i] as string, members, copies: 1 },
        handOverBytesPerSecond: 1 << 30,
        key: peersKey,
      },
    });
  const [a, b] = [await start(0), await start(1)];
  const [toA, toB] = [clientOf(t, urlOf(a, 'rediss')), clientOf(t, urlOf(b, 'rediss'))];
  const keys = Array.from({ length: 20 }, (_, i) => `key ${i}`);
  for (const key of keys) await toA.put(key, Buffer.from(`value of ${key}`));
  for (const key of keys) {
    let value = '';
    await toB.get(key, (bytes) => {
      value += Buffer.from(bytes).toString();
    });
    assert.equal(value, `value of ${key}`);
  }
  assert.ok((b.peers?.stats.fetched ?? 0) > 0);
  assert.equal(b.peers?.stats.failed, 0);
});

test('cache check speaks TLS; half a pair is refused in one sentence', async (t) => {
  const cache = await testCache(t, { tls: { ...server, clientCa: fixture('ca-cert') } });
  const spillway = join(import.meta.dirname, '..', '..', 'bin', 'spillway.mjs');
  const check = (...args: readonly string[]) =>
    promisify(execFile)(process.execPath, [spillway, 'cache', 'check', ...args]);
  const own = ['--tls-cert', fixture('client-cert'), '--tls-key', fixture('client-key')];
  for (const scheme of ['lms', 'rediss']) {
    const url = urlOf(cache, scheme);
    const size = ['--size', '100KiB', '--count', '2'];
    const { stdout } = await check(url, '--tls-ca', fixture('ca-cert'), ...own, ...size);
    assert.match(stdout, /ok: all 4 values came back byte for byte\./);
  }
  await assert.rejects(check(urlOf(cache, 'lms'), '--tls-cert', 'x'), {
    code: 2,
    stderr: /--tls-cert and --tls-key belong together/,
  });
});
