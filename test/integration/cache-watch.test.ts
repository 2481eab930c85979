// WATCH on the cache server, beyond what the recorded dialogue with Redis has: several clients, protocols, tiers, users and bounds.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { WatchedKeys } from '../../src/core/cache/watched-keys.ts';
import { CacheClient as Client, testCache } from '../support/cache.ts';
import { until } from '../support/until.ts';

const none = '*-1\r\n';
const done = '*1\r\n+PONG\r\n';

/** Two clients of one server. */
async function pair(t: TestContext, options: Parameters<typeof testCache>[1] = {}) {
  const server = await testCache(t, options);
  return {
    server,
    watching: new Client(t, server, 'redis'),
    other: new Client(t, server, 'redis'),
  };
}

async function executes(client: Client, reply: string): Promise<void> {
  await client.says('MULTI\r\nPING\r\nEXEC\r\n', `+OK\r\n+QUEUED\r\n${reply}`);
}

for (const [what, change, said] of [
  ['stores a value', 'SET k 2\r\n', '+OK\r\n'],
  ['stores the same value', 'SET k 1\r\n', '+OK\r\n'],
  ['deletes it', 'DEL k\r\n', ':1\r\n'],
  ['sets its time', 'EXPIRE k 100\r\n', ':1\r\n'],
  ['deletes all', 'FLUSHALL\r\n', '+OK\r\n'],
] as const) {
  test(`a transaction is not executed if another client ${what}`, async (t) => {
    const { watching, other } = await pair(t);
    await watching.says('SET k 1\r\nWATCH k\r\n', '+OK\r\n+OK\r\n');
    await watching.says('MULTI\r\nPING\r\n', '+OK\r\n+QUEUED\r\n');
    await other.says(change, said);
    await watching.says('EXEC\r\n', none);
    await executes(watching, done);
  });
}

test('what changes no value, and other keys, leave a transaction as it is', async (t) => {
  const { watching, other } = await pair(t);
  await watching.says('SET k 1\r\nWATCH k no\r\n', '+OK\r\n+OK\r\n');
  await other.says('GET k\r\nSETNX k 2\r\nDEL no\r\nSET l 1\r\n', '$1\r\n1\r\n:0\r\n:0\r\n+OK\r\n');
  await executes(watching, done);
  await watching.says('HELLO 3\r\n', '%7\r\n');
  await until(() => watching.received.includes('modules'));
  watching.received = Buffer.alloc(0);
  await watching.says('WATCH k\r\n', '+OK\r\n');
  await other.says('SET k 2\r\n', '+OK\r\n');
  await executes(watching, '_\r\n');
});

test('a value that expires, or is stored over lm://, is a change', async (t) => {
  const { server, watching } = await pair(t);
  await watching.says('SET k 1 PX 20\r\nWATCH k\r\n', '+OK\r\n+OK\r\n');
  await until(() => server.store.size('k') === undefined);
  await executes(watching, none);
  await watching.says('WATCH k\r\n', '+OK\r\n');
  await new Client(t, server, 'lm').putLm('k', Buffer.from('v'));
  await executes(watching, none);
});

test('an evicted value is a change; one that moves to the disk and back is none', async (t) => {
  const large = Buffer.alloc(1_000_000, 'v');
  const set = (key: string) =>
    Buffer.concat([
      Buffer.from(`*3\r\n$3\r\nSET\r\n$${key.length}\r\n${key}\r\n$${large.length}\r\n`),
      large,
      Buffer.from('\r\n'),
    ]);
  const fill = async (client: Client) => {
    for (let i = 0; i < 12; i++) assert.equal(String(await client.ask(set(`k${i}`), 5)), '+OK\r\n');
  };
  const small = await pair(t, { memoryBytes: 4 << 20 });
  await small.watching.says('SET k 1\r\nWATCH k\r\n', '+OK\r\n+OK\r\n');
  await fill(small.other);
  assert.equal(small.server.store.size('k'), undefined);
  await executes(small.watching, none);

  const folder = mkdtempSync(join(tmpdir(), 'spillway-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const tiered = await pair(t, {
    ...{ memoryBytes: 4 << 20, disk: { folder, bytesMax: 64 << 20 }, readTimeoutMs: 10_000 },
  });
  const { server, watching, other } = tiered;
  await watching.says('SET k 1\r\n', '+OK\r\n');
  await until(() => server.diskStats?.written === 1);
  await watching.says('WATCH k\r\n', '+OK\r\n');
  await fill(other);
  await until(() => server.store.isBelow('k'));
  await other.says('GET k\r\n', '$1\r\n1\r\n');
  await executes(watching, done);
});

test('keys of another user are other keys', async (t) => {
  const users = [{ name: 'ann', password: 'a', space: 'team' }];
  const tenants = [{ name: 'team', bytesMax: 1 << 20 }];
  const { watching, other } = await pair(t, { users, tenants, password: 'root' });
  await watching.says('AUTH ann a\r\nWATCH k\r\n', '+OK\r\n+OK\r\n');
  await other.says('AUTH root\r\nSET k 1\r\n', '+OK\r\n+OK\r\n');
  await executes(watching, done);
  await watching.says('WATCH k\r\nAUTH root\r\nWATCH k\r\n', '+OK\r\n+OK\r\n+OK\r\n');
  await other.says('AUTH ann a\r\nSET k 1\r\n', '+OK\r\n+OK\r\n');
  await executes(watching, none);
});

test('what is watched has bounds: beyond them WATCH is refused, and so is the next EXEC', async (t) => {
  const { watching } = await pair(t);
  const keys = Array.from({ length: 10_001 }, (_, i) => `k${i}`);
  const words = ['WATCH', ...keys];
  const bytes = `*${words.length}\r\n${words.map((one) => `$${one.length}\r\n${one}\r\n`).join('')}`;
  const refused =
    '-ERR a client watches at most 10000 keys; the next EXEC executes nothing. Send MULTI and EXEC without it.\r\n';
  await watching.says(bytes, refused);
  await executes(watching, '-EXECABORT Transaction discarded because of previous errors.\r\n');
  await executes(watching, done);
  await watching.says('WATCH k\r\n'.repeat(20_000), '+OK\r\n'.repeat(20_000));
  await executes(watching, done);

  const watched = new WatchedKeys();
  const key = 'k'.repeat(1 << 20);
  const watches = Array.from({ length: 64 }, () => watched.add(key));
  assert.deepEqual([watches[62]?.key, watches[63]], [key, undefined]);
  for (const watch of watches) if (watch !== undefined) watched.remove(watch);
  assert.equal(watched.size, 0);
  assert.ok(watched.add(key), 'there is room again');
});

test('a client that leaves watches no more', async (t) => {
  const { server, watching } = await pair(t);
  await watching.says('WATCH a b\r\n', '+OK\r\n');
  const { watched } = server.store;
  assert.equal(watched.size, 2);
  watching.socket.destroy();
  await until(() => watched.size === 0);
});
