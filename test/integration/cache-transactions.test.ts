// MULTI and EXEC on the cache server, beyond what the recorded dialogue with Redis has: large values, bounds, tiers and
// users. And what clients ask about the server.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { noAccount } from '../../src/apps/cache/client-memory.ts';
import { endlessTurns } from '../../src/apps/cache/command-turns.ts';
import { ReplyWriter } from '../../src/apps/cache/reply-writer.ts';
import { RespConnection } from '../../src/apps/cache/resp-connection.ts';
import type { RespService } from '../../src/apps/cache/resp-service.ts';
import { Transaction, TransactionMemory } from '../../src/apps/cache/transaction.ts';
import { parseCacheUrl } from '../../src/io/cache-client/index.ts';
import { CacheClient as Client, testCache } from '../support/cache.ts';
import { until } from '../support/until.ts';

const array = (...args: readonly string[]) =>
  `*${args.length}\r\n${args.map((arg) => `$${arg.length}\r\n${arg}\r\n`).join('')}`;
const large = 'v'.repeat(1_000_000);
const aborted = '-EXECABORT Transaction discarded because of previous errors.\r\n';

test('a transaction stores and returns large values, which nobody sees before', async (t) => {
  const server = await testCache(t);
  const [client, other] = [new Client(t, server, 'redis'), new Client(t, server, 'redis')];
  const commands = [
    ['MULTI'],
    ['SET', 'k', large],
    ['STRLEN', 'k'],
    ['GET', 'k'],
    ['SET', 'k', 'w'],
  ];
  const queued = `+OK\r\n${'+QUEUED\r\n'.repeat(4)}`;
  await client.says(commands.map((words) => array(...words)).join(''), queued);
  await other.says('GET k\r\n', '$-1\r\n');
  await client.says('EXEC\r\n', `*4\r\n+OK\r\n:1000000\r\n$1000000\r\n${large}\r\n+OK\r\n`);
  await other.says('GET k\r\n', '$1\r\nw\r\n');
});

for (const end of ['DISCARD', 'RESET', 'QUIT', 'NOSUCH x', 'close'] as const) {
  test(`large values of a transaction that is not executed give their memory back: ${end}`, async (t) => {
    const server = await testCache(t, { memoryBytes: 4 << 20 });
    for (let i = 0; i < 12; i++) {
      const client = new Client(t, server, 'redis');
      const replies: Record<string, string> = {
        ...{ DISCARD: '+OK\r\n', RESET: '+RESET\r\n', QUIT: '+OK\r\n' },
        'NOSUCH x': "-ERR unknown command 'NOSUCH', with args beginning with: 'x' \r\n",
      };
      await client.says(`MULTI\r\n${array('SET', 'k', large)}`, '+OK\r\n+QUEUED\r\n');
      if (end === 'close') client.socket.destroy();
      else await client.says(`${end}\r\n`, replies[end] as string);
      if (end === 'NOSUCH x') await client.says('EXEC\r\n', aborted);
    }
    const client = new Client(t, server, 'redis');
    await client.says(array('SET', 'all', 'x'.repeat(3_000_000)), '+OK\r\n');
    await client.says('STRLEN all\r\n', ':3000000\r\n');
    await client.says('EXISTS k\r\n', ':0\r\n');
  });
}

test('a value that is too large for the server voids the transaction', async (t) => {
  const client = new Client(t, await testCache(t, { valueBytesMax: 100_000 }), 'redis');
  await client.says('MULTI\r\nSET a 1\r\n', '+OK\r\n+QUEUED\r\n');
  const error = '-ERR the value has 1000000 bytes; the maximum is 100000\r\n';
  await client.says(array('SET', 'k', large), error);
  await client.says('EXEC\r\nEXISTS a\r\n', `${aborted}:0\r\n`);
});

test('a transaction reads values that are below memory', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'spillway-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const server = await testCache(t, {
    memoryBytes: 4 << 20,
    disk: { folder, bytesMax: 64 << 20 },
    readTimeoutMs: 10_000,
  });
  const client = new Client(t, server, 'redis');
  for (let i = 0; i < 12; i++) {
    await client.says(array('SET', `k${i}`, large), '+OK\r\n');
    await until(() => server.diskStats?.written === i + 1);
  }
  await client.says(
    'MULTI\r\nGET k0\r\nEXISTS k1\r\nGETEX k2\r\n',
    `+OK\r\n${'+QUEUED\r\n'.repeat(3)}`,
  );
  const value = `$1000000\r\n${large}\r\n`;
  await client.says('EXEC\r\n', `*3\r\n${value}:1\r\n${value}`);
  await client.says('DBSIZE\r\n', ':12\r\n');
  const keyspace = '# Keyspace\r\ndb0:keys=12,expires=0,avg_ttl=0\r\n';
  await client.says('INFO keyspace\r\n', `$${keyspace.length}\r\n${keyspace}\r\n`);
  const keys = (await client.ask('KEYS k*\r\n', 5)).toString();
  assert.equal(keys, '*12\r\n', 'each key once, though it is in two tiers');
});

test('a transaction has bounds: beyond them it is refused, and nothing of it is executed', async (t) => {
  const client = new Client(t, await testCache(t), 'redis');
  await client.says('MULTI\r\n', '+OK\r\n');
  await client.says('PING\r\n'.repeat(10_000), '+QUEUED\r\n'.repeat(10_000));
  await client.says('PING\r\n', '-ERR a transaction has at most 10000 commands\r\n');
  await client.says('EXEC\r\nPING\r\n', `${aborted}+PONG\r\n`);
  const memory = new TransactionMemory();
  const [one, two] = [new Transaction(memory), new Transaction(memory)];
  assert.equal(one.add({ args: ['SET', 'k', ''], streamed: undefined }, 60 << 20), undefined);
  assert.match(
    String(one.add({ args: ['PING'], streamed: undefined }, 5 << 20)),
    /at most 67108864/,
  );
  assert.equal(memory.bytes, 0, 'what was refused holds nothing');
  memory.bytes = 256 << 20;
  assert.match(String(two.add({ args: ['PING'], streamed: undefined })), /all clients/);
});

test('a client that is handed to another process amid a transaction executes none of it', async (t) => {
  const server = await testCache(t);
  const written: string[] = [];
  const output = {
    once: () => {},
    write: (bytes: Uint8Array) => written.push(String(Buffer.from(bytes))),
  };
  const service = {
    users: {
      unnamed: { name: 'default', space: '' },
      named: () => ({ name: 'default', space: '' }),
    },
    space: () => ({ store: server.store, load: async () => {}, sizes: {} }),
    whole: { store: server.store, load: async () => {} },
    ...{ wallClock: { nowSeconds: () => 0 }, turns: { spend: () => true }, requested: () => {} },
    valueTurns: endlessTurns,
    ...{ transactions: new TransactionMemory(), clients: new Set(), cluster: () => undefined },
    ...{ redirects: 'auto', watchesChains: false },
  } as unknown as RespService;
  const client = {
    id: 1,
    origin: { address: '', certificate: () => undefined, account: noAccount },
  };
  const first = new RespConnection(service, new ReplyWriter(output as never), client);
  first.push(Buffer.from('MULTI\r\nSET k 1\r\n'));
  const { session } = first;
  const second = new RespConnection(service, new ReplyWriter(output as never), client, session);
  second.push(Buffer.from('SET k 2\r\nEXEC\r\nSTRLEN k\r\n'));
  assert.equal(written.join(''), `+OK\r\n+QUEUED\r\n+QUEUED\r\n${aborted}:0\r\n`);
  second.push(Buffer.from('WATCH k\r\n'));
  const third = new RespConnection(
    ...([service, new ReplyWriter(output as never), client, second.session] as const),
  );
  written.length = 0;
  third.push(Buffer.from('MULTI\r\nEXEC\r\nMULTI\r\nEXEC\r\n'));
  assert.equal(written.join(''), '+OK\r\n*-1\r\n+OK\r\n*0\r\n');
});

test('KEYS and SCAN agree, and a pattern with many stars is answered at once', async (t) => {
  const client = new Client(t, await testCache(t), 'redis');
  const key = 'a'.repeat(4000);
  await client.says(array('SET', key, 'v'), '+OK\r\n');
  await client.says('SET b v\r\nSET c v PX 1\r\n', '+OK\r\n+OK\r\n');
  await new Promise((resolve) => setTimeout(resolve, 20));
  await client.says('KEYS b\r\n', '*1\r\n$1\r\nb\r\n');
  const started = performance.now();
  await client.says(array('KEYS', `${'a*'.repeat(2000)}b`), '*0\r\n');
  assert.ok(performance.now() - started < 2_000);
  await client.says('SCAN 0 MATCH ? COUNT 1000\r\n', '*2\r\n$1\r\n0\r\n*1\r\n$1\r\nb\r\n');
});

test('CLIENT LIST shows the clients of one’s own user, with the library that they name', async (t) => {
  const users = [{ name: 'ann', password: 'a', space: 'team' }];
  const server = await testCache(t, {
    ...{ users, password: 'root', tenants: [{ name: 'team', bytesMax: 1 << 20 }] },
  });
  const [root, ann] = [new Client(t, server, 'redis'), new Client(t, server, 'redis')];
  await root.says('AUTH root\r\nCLIENT SETNAME me\r\n', '+OK\r\n+OK\r\n');
  await ann.says('AUTH ann a\r\nCLIENT SETINFO lib-name redis-py\r\n', '+OK\r\n+OK\r\n');
  const list = async (client: Client, what = 'LIST') => {
    client.socket.write(`CLIENT ${what}\r\n`);
    await until(() => /\n\r\n$/.test(client.received.toString()));
    const text = client.received.toString();
    client.received = Buffer.alloc(0);
    return text;
  };
  assert.match(await list(root), /^\$\d+\r\nid=1 addr=127\.0\.0\.1:\d+ .*name=me .*user=default/);
  const anns = await list(ann);
  assert.match(anns, /^\$\d+\r\nid=2 .* user=ann .*lib-name=redis-py/);
  assert.doesNotMatch(anns, /user=default/);
  assert.match(await list(ann, 'INFO'), /^\$\d+\r\nid=2 /);
  root.socket.destroy();
});

test('the time is that of the server’s clock', async (t) => {
  const client = new Client(
    t,
    await testCache(t, { wallClock: { nowSeconds: () => 1234.5 } }),
    'redis',
  );
  await client.says('TIME\r\n', '*2\r\n$4\r\n1234\r\n$6\r\n500000\r\n');
});

test('the URL of a Redis Sentinel is refused with a sentence that says so', () => {
  for (const url of [
    'redis-sentinel://a:26379,b:26379',
    'redis+sentinel://:secret@a:26379/mymaster/0',
    'rediss+sentinel://a/x',
    'valkey-sentinel://a:26379',
    'sentinel://a:26379',
  ]) {
    assert.throws(
      () => parseCacheUrl(url, 'LMCACHE_REMOTE_URL'),
      /^(?!.*secret).*Redis Sentinel \(.*\) is not spoken to: use lm:/,
    );
  }
});
