// Users and tenants of the cache server, over real sockets.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { CacheServer } from '../../src/apps/cache/index.ts';
import { freePorts } from '../../src/io/processes/index.ts';
import { CacheClient as Client, peersKey, testCache } from '../support/cache.ts';
import { until } from '../support/until.ts';

const users = [
  { name: 'alice', password: 'a-secret', space: 'team-a' },
  { name: 'bob', password: 'b-sécret', space: 'team-b' },
];
const mebibyte = 1 << 20;
const tenants = [
  { name: 'team-a', bytesMax: 4 * mebibyte },
  { name: 'team-b' },
  { name: 'qwen', prefix: 'Qwen/Qwen3-8B@2', bytesMax: 2 * mebibyte },
];
const ok = '+OK\r\n';
const value = (text: string) => `$${text.length}\r\n${text}\r\n`;
const words = (...args: readonly string[]) => `*${args.length}\r\n${args.map(value).join('')}`;

async function clientOf(t: TestContext, server: CacheServer, ...auth: readonly string[]) {
  const client = new Client(t, server, 'redis');
  if (auth.length > 0) await client.says(words('AUTH', ...auth), ok);
  return client;
}

const start = (t: TestContext, options = {}) =>
  testCache(t, { users, tenants, password: 'root', ...options });

test('each user sees the keys of its tenant only, in all commands', async (t) => {
  const server = await start(t);
  const alice = await clientOf(t, server, 'alice', 'a-secret');
  const bob = await clientOf(t, server, 'bob', Buffer.from('b-sécret').toString('latin1'));
  const root = await clientOf(t, server, 'root');
  const [one, two, three] = [alice, bob, root];
  await one.says(words('SET', 'k', 'of alice'), ok);
  await two.says(words('GET', 'k'), '$-1\r\n');
  await two.says(words('SET', 'k', 'of bob', 'EX', '100'), ok);
  await three.says(words('SET', 'k', 'of root'), ok);
  const large = 'x'.repeat(300_000);
  await one.says(words('SET', 'large', large), ok);
  await one.says(words('GET', 'k'), value('of alice'));
  await two.says(words('MGET', 'k', 'large'), `*2\r\n${value('of bob')}$-1\r\n`);
  await three.says(words('GET', 'k'), value('of root'));
  await one.says(words('TTL', 'k'), ':-1\r\n');
  await two.says(words('TTL', 'k'), ':100\r\n');
  await two.says(words('EXISTS', 'k', 'large'), ':1\r\n');
  await two.says(words('SCAN', '0', 'COUNT', '100'), `*2\r\n${value('0')}*1\r\n${value('k')}`);
  await three.says(words('SCAN', '0', 'COUNT', '100'), `*2\r\n${value('0')}*1\r\n${value('k')}`);
  await one.says(words('DBSIZE'), ':2\r\n');
  await three.says(words('DBSIZE'), ':1\r\n');
  await one.says(words('DEL', 'k'), ':1\r\n');
  await two.says(words('GET', 'k'), value('of bob'));
  await two.says(words('FLUSHALL'), ok);
  await one.says(words('STRLEN', 'large'), ':300000\r\n');
  await three.says(words('FLUSHALL'), ok);
  await one.says(words('STRLEN', 'large'), ':300000\r\n');
});

test('no key reaches into the keys of a tenant, over Redis or lm://', async (t) => {
  const server = await start(t);
  const alice = await clientOf(t, server, 'alice', 'a-secret');
  const root = await clientOf(t, server, 'root');
  const lm = new Client(t, server, 'lm');
  await alice.says(words('SET', 'k', 'v'), ok);
  for (const key of ['\0team-a\0k', '\0\0team-a\0k', 'team-a\0k']) {
    await root.says(words('GET', key), '$-1\r\n');
    await root.says(words('SET', key, 'forged'), ok);
    assert.equal((await lm.askLm(3, key)).readInt32LE(0), 400);
    await lm.putLm(key, Buffer.from('forged'));
    await root.says(words('GET', key), value('forged'));
  }
  await alice.says(words('GET', 'k'), value('v'));
  await alice.says(words('DBSIZE'), ':1\r\n');
});

test('AUTH, HELLO AUTH, ACL WHOAMI and RESET; a wrong name and a wrong password read alike', async (t) => {
  const server = await start(t);
  const client = new Client(t, server, 'redis');
  const wrong = '-WRONGPASS invalid username-password pair or user is disabled.\r\n';
  await client.says(words('GET', 'k'), '-NOAUTH Authentication required.\r\n');
  await client.says(words('AUTH', 'nobody', 'a-secret'), wrong);
  await client.says(words('AUTH', 'alice', 'b-secret'), wrong);
  await client.says(words('AUTH', 'alice', 'a-secret'), ok);
  await client.says(words('ACL', 'WHOAMI'), value('alice'));
  await client.says(words('AUTH', 'bob', 'a-secret'), wrong);
  await client.says(words('ACL', 'WHOAMI'), value('alice'));
  const bobs = Buffer.from('b-sécret').toString('latin1');
  assert.match(`${await client.ask(words('HELLO', '3', 'AUTH', 'bob', bobs), 2)}`, /^%7/);
  await until(() => client.received.includes('modules'));
  client.received = Buffer.alloc(0);
  await client.says(words('ACL', 'WHOAMI'), value('bob'));
  await client.says(words('RESET'), '+RESET\r\n');
  await client.says(words('GET', 'k'), '-NOAUTH Authentication required.\r\n');
  await client.says(words('AUTH', 'root'), ok);
  await client.says(words('ACL', 'WHOAMI'), value('default'));
});

test('without a password for it, nobody is the default user', async (t) => {
  const server = await start(t, { password: undefined });
  const client = new Client(t, server, 'redis');
  await client.says(words('GET', 'k'), '-NOAUTH Authentication required.\r\n');
  await client.says(
    words('AUTH', 'default', ''),
    '-WRONGPASS invalid username-password pair or user is disabled.\r\n',
  );
});

test('a tenant evicts its own values, and keeps within its memory; others keep theirs', async (t) => {
  const server = await start(t, { httpPort: 0 });
  const alice = await clientOf(t, server, 'alice', 'a-secret');
  const bob = await clientOf(t, server, 'bob', Buffer.from('b-sécret').toString('latin1'));
  const root = await clientOf(t, server, 'root');
  const megabyte = 'x'.repeat(mebibyte);
  await bob.says(words('SET', 'oldest', megabyte), ok);
  for (let i = 0; i < 10; i++) await alice.says(words('SET', `k${i}`, megabyte), ok);
  for (let i = 0; i < 10; i++) {
    await root.says(words('SET', `Qwen/Qwen3-8B@2@0@${i}@bf16`, megabyte), ok);
    await root.says(words('SET', `other@${i}`, megabyte), ok);
  }
  await alice.says(words('DBSIZE'), ':4\r\n');
  await alice.says(words('EXISTS', 'k5', 'k6', 'k9'), ':2\r\n');
  await bob.says(words('STRLEN', 'oldest'), `:${mebibyte}\r\n`);
  await root.says(words('EXISTS', 'other@0', 'other@9'), ':2\r\n');
  await root.says(words('EXISTS', 'Qwen/Qwen3-8B@2@0@7@bf16'), ':0\r\n');
  await root.says(words('EXISTS', 'Qwen/Qwen3-8B@2@0@8@bf16'), ':1\r\n');
  const url = server.urls.find((one) => one.startsWith('http:'));
  const metrics = await (await fetch(`${url}/metrics`)).text();
  for (const line of [
    'spillway_cache_tenant_values{tenant="team-a"} 4.0',
    'spillway_cache_tenant_memory_bytes{tenant="team-a"} 4.194304e+06',
    'spillway_cache_tenant_memory_max_bytes{tenant="team-a"} 4.194304e+06',
    'spillway_cache_tenant_evictions_total{tenant="team-a"} 6.0',
    'spillway_cache_tenant_evictions_total{tenant="team-b"} 0.0',
    'spillway_cache_tenant_evictions_total{tenant="qwen"} 8.0',
  ]) {
    assert.ok(metrics.includes(`\n${line}\n`), `${line} is not in\n${metrics}`);
  }
});

test('values below memory and on other servers are a tenant’s own, too', async (t) => {
  const ports = await freePorts(2);
  const members = ports.map((port) => `127.0.0.1:${port}`);
  const [a, b] = await Promise.all(
    ports.map((respPort, i) =>
      start(t, {
        respPort,
        peers: {
          ...{ self: members[i] as string, members, copies: 1 },
          handOverBytesPerSecond: 1 << 30,
          key: peersKey,
        },
      }),
    ),
  );
  assert.ok(a && b);
  const [here, there] = [
    await clientOf(t, a, 'alice', 'a-secret'),
    await clientOf(t, b, 'alice', 'a-secret'),
  ];
  for (let i = 0; i < 10; i++) await here.says(words('SET', `k${i}`, `v${i}`), ok);
  for (let i = 0; i < 10; i++) await there.says(words('GET', `k${i}`), value(`v${i}`));
  const stranger = await clientOf(t, b, 'bob', Buffer.from('b-sécret').toString('latin1'));
  await stranger.says(words('GET', 'k1'), '$-1\r\n');
  await stranger.says(words('PEER.HELLO'), '-NOPERM this command is for other cache servers\r\n');
  await stranger.says(
    words('PEER.INFO', '\0team-a\0k1'),
    '-NOPERM this command is for other cache servers\r\n',
  );
  const root = await clientOf(t, a, 'root');
  await root.says(words('SET', 'mine', 'v'), ok);
  await here.says(words('FLUSHALL'), ok);
  await until(() => [...b.store.keys()].every((key) => !key.includes('team-a')));
  await root.says(words('GET', 'mine'), value('v'));
});
