// Who may use the commands that cache servers send each other, by which the keys of all tenants are read and written.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { createSecureContext } from 'node:tls';
import type { CacheOptions, CacheServer } from '../../src/apps/cache/index.ts';
import { openRespCommands, parseCacheUrl } from '../../src/io/cache-client/index.ts';
import { freePorts } from '../../src/io/processes/index.ts';
import { secretCheck } from '../../src/io/secrets/index.ts';
import { CacheClient as Client, testCache } from '../support/cache.ts';
import { until } from '../support/until.ts';

const words = (...all: readonly string[]) =>
  `*${all.length}\r\n${all.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join('')}`;
const value = (text: string) => `$${text.length}\r\n${text}\r\n`;
const ok = '+OK\r\n';
const refused = '-NOPERM this command is for other cache servers\r\n';
const alice = { name: 'alice', password: 'a', space: 'team-a' };
const keyed = (key: string) => ({ current: key, isRight: secretCheck(key) });
const quiet = { info() {}, warning() {} };

async function tenants(t: TestContext, options: Partial<CacheOptions> = {}) {
  const server = await testCache(t, { users: [alice], password: 'c', ...options });
  const hers = new Client(t, server, 'redis');
  await hers.says(words('AUTH', 'alice', 'a') + words('SET', 'k', 'of-alice'), ok + ok);
  return { server, hers };
}

async function peersOf(key: string | undefined): Promise<Pick<CacheOptions, 'respPort' | 'peers'>> {
  const [respPort = 0] = await freePorts(1);
  const self = `127.0.0.1:${respPort}`;
  const given = key === undefined ? {} : { key: keyed(key) };
  return {
    respPort,
    peers: { self, members: [self], copies: 1, handOverBytesPerSecond: 1 << 30, ...given },
  };
}

/** A client is the tenant that it was: nothing of another one's can be seen. */
async function staysTenant(client: Client, hello: string): Promise<void> {
  await client.says(hello, refused);
  await client.says(words('GET', '\0team-a\0k'), '$-1\r\n');
  await client.says(words('SCAN', '0'), '*2\r\n$1\r\n0\r\n*0\r\n');
  for (const command of [
    ['PEER.INFO', '\0team-a\0k'],
    ['PEER.SET', '\0team-a\0k', '-', '0', '-', 'x'],
    ['PEER.DEL', '\0team-a\0k'],
    ['PEER.FLUSH'],
  ]) {
    await client.says(words(...command), refused);
  }
  await client.says(words('SET', 'own', 'v') + words('GET', 'own'), ok + value('v'));
}

for (const [what, options, hello] of [
  ['without --peers', async () => ({}), words('PEER.HELLO')],
  ['without --peers, whatever the key', async () => ({}), words('PEER.HELLO', 'secret')],
  ['with --peers, without a key', () => peersOf('secret'), words('PEER.HELLO')],
  ['with --peers, with a wrong key', () => peersOf('secret'), words('PEER.HELLO', 'secreT')],
  ['with --peers, with an empty key', () => peersOf('secret'), words('PEER.HELLO', '')],
  ['with --peers, but no key and no certificates', () => peersOf(undefined), words('PEER.HELLO')],
] as const) {
  test(`${what}, a client stays a tenant and sees nothing of others`, async (t) => {
    const { server, hers } = await tenants(t, await options());
    const client = new Client(t, server, 'redis');
    await client.says(words('AUTH', 'c'), ok);
    await staysTenant(client, hello);
    await hers.says(words('GET', 'k'), value('of-alice'));
  });
}

test('with the key, a connection of the default user is another server’s; one of a tenant is not', async (t) => {
  const { server, hers } = await tenants(t, await peersOf('secret'));
  await hers.says(words('PEER.HELLO', 'secret'), refused);
  const peer = new Client(t, server, 'redis');
  await peer.says(words('AUTH', 'c') + words('PEER.HELLO', 'secret'), ok + ok);
  await peer.says(words('GET', '\0team-a\0k'), value('of-alice'));
});

const fixture = (name: string) => join(import.meta.dirname, '..', 'support', 'tls', `${name}.pem`);
const pem = (name: string) => readFileSync(fixture(name), 'utf8');

test('over TLS without a key, a certificate for a server’s name is another server’s; a client’s is not', async (t) => {
  const [respPort = 0] = await freePorts(1);
  const self = `localhost:${respPort}`;
  const server = await testCache(t, {
    ...{ respPort, host: 'localhost', lmPort: undefined },
    peers: { self, members: [self], copies: 1, handOverBytesPerSecond: 1 << 30 },
    tls: {
      ...{ cert: fixture('server-cert'), key: fixture('server-key'), log: quiet },
      ...{ clientCa: fixture('ca-cert'), ca: fixture('ca-cert') },
    },
  });
  const as = (name: string) => {
    const own = { cert: pem(`${name}-cert`), key: pem(`${name}-key`) };
    const context = createSecureContext({ ca: pem('ca-cert'), ...own });
    const address = parseCacheUrl(`rediss://${self}`, 'URL');
    const client = openRespCommands(address, { tls: { context: () => context } });
    t.after(() => client.close());
    return client;
  };
  assert.equal(server.urls[0], `rediss://${self}`);
  await assert.rejects(as('client').ask([], 'PEER.HELLO'), /NOPERM/);
  assert.equal((await as('server').ask([], 'PEER.HELLO')).text, 'OK');
});

test('a server that is gone is logged and shown once, and so is one that comes back', async (t) => {
  const ports = await freePorts(2);
  const members = ports.map((port) => `127.0.0.1:${port}`);
  const lines: string[] = [];
  const note = (line: string) => void lines.push(line);
  const start = (i: number, key: string, options: Partial<CacheOptions> = {}) =>
    testCache(t, {
      ...{ respPort: ports[i] as number, httpPort: 0, ...options },
      peers: {
        ...{ self: members[i] as string, members, copies: 1, checkMs: 20 },
        ...{ handOverBytesPerSecond: 1 << 30, key: keyed(key) },
      },
    });
  const a = await start(0, 'right', { log: { info: note, warning: note } });
  const gone = async () => {
    const url = a.urls.find((one) => one.startsWith('http:')) ?? '';
    const [stats, metrics] = await Promise.all([fetch(`${url}/stats`), fetch(`${url}/metrics`)]);
    const { peers } = (await stats.json()) as { peers: { gone: readonly string[] } };
    const metric = /^spillway_cache_peers_gone ([\d.]+)$/m.exec(await metrics.text())?.[1];
    assert.equal(Number(metric), peers.gone.length);
    return peers.gone;
  };
  const seen = async (pattern: RegExp) => {
    await until(() => lines.length > 0);
    assert.equal(lines.length, 1);
    assert.match(lines.pop() ?? '', pattern);
  };
  const isGone = /^--peers: the server 127\.0\.0\.1:\d+ is gone; its keys are misses\. /;
  await seen(isGone);
  assert.deepEqual(await gone(), [members[1]]);
  const b: CacheServer = await start(1, 'right');
  await seen(/^--peers: the server 127\.0\.0\.1:\d+ replies again$/);
  assert.deepEqual(await gone(), []);
  await b.close();
  await seen(isGone);
});

test('a server with another key is gone, and the log says why', async (t) => {
  const ports = await freePorts(2);
  const members = ports.map((port) => `127.0.0.1:${port}`);
  const lines: string[] = [];
  const log = { info() {}, warning: (line: string) => void lines.push(line) };
  for (const [i, key] of ['one', 'another'].entries()) {
    await testCache(t, {
      ...{ respPort: ports[i] as number, log },
      peers: {
        ...{ self: members[i] as string, members, copies: 1, checkMs: 20 },
        ...{ handOverBytesPerSecond: 1 << 30, key: keyed(key) },
      },
    });
  }
  await until(() => lines.length >= 2);
  await until(() => lines.some((line) => line.includes('refused PEER.HELLO: NOPERM')));
  assert.doesNotMatch(lines.join(), /\b(one|another)\b(?! cache)/);
});
