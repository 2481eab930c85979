// The cache server behind real sockets: what LMCache sent to its own server, and what hostile clients send.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { CacheClient as Client, testCache } from '../support/cache.ts';
import { until } from '../support/until.ts';

interface Recorded {
  readonly version?: string;
  readonly op: string;
  readonly client_to_server: string;
  readonly server_to_client: string;
}

const folder = join(import.meta.dirname, 'lmcache-wire');
const recorded = readFileSync(join(folder, 'lm.jsonl'), 'utf8')
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line) as Recorded);

test('LMCache gets the bytes that it got from its own server', async (t) => {
  for (const version of ['0.5.6', '0.3.11']) {
    const server = await testCache(t);
    const client = new Client(t, server, 'lm');
    for (const { op, version: of = '0.5.6', ...bytes } of recorded) {
      if (of !== version) continue;
      const expected = Buffer.from(bytes.server_to_client, 'hex');
      const sent = Buffer.from(bytes.client_to_server, 'hex');
      assert.deepEqual(await client.ask(sent, expected.length), expected, `${version} ${op}`);
    }
    assert.equal(client.received.length, 0);
  }
});

test('clients with an older layout of lm:// get its headers, also in pieces', async (t) => {
  const body = Buffer.alloc(300_000, 'abc');
  const label = '010000000300000002000000010000000400000008000000';
  for (const [lmLayout, own, reply] of [
    ['182', label, 32],
    ['158', '', 8],
  ] as const) {
    const server = await testCache(t, { lmLayout });
    const client = new Client(t, server, 'lm');
    const head = (command: number, length: number) => {
      const bytes = Buffer.from(`${'00'.repeat(8)}${own}`, 'hex');
      bytes.writeInt32LE(command, 0);
      bytes.writeInt32LE(length, 4);
      return Buffer.concat([bytes, Buffer.from('k'.padEnd(150))]);
    };
    assert.equal(head(1, 0).length, Number(lmLayout));
    for (const byte of head(3, 0).subarray(0, 100)) client.socket.write(Buffer.of(byte));
    const miss = await client.ask(head(3, 0).subarray(100), reply);
    assert.equal(miss.readInt32LE(0), 400);
    const put = Buffer.concat([head(1, body.length), body, head(3, 0)]);
    assert.equal((await client.ask(put, reply)).readInt32LE(0), 200);
    const got = await client.ask(head(2, 0), reply + body.length);
    assert.equal(got.readInt32LE(4), body.length);
    assert.equal(got.subarray(8, reply).toString('hex'), own);
    assert.deepEqual(got.subarray(reply), body);
    if (lmLayout === '158') assert.equal((await client.ask(head(4, 0), reply)).readInt32LE(0), 400);
    assert.equal(client.received.length, 0);
  }
});

const { lmHead } = Client;

test('a value written over lm:// is read over RESP', async (t) => {
  const server = await testCache(t);
  const [lm, resp] = [new Client(t, server, 'lm'), new Client(t, server, 'redis')];
  const body = Buffer.alloc(300_000, 'abc');
  await lm.putLm('k', body);
  const reply = await resp.ask('GET k\r\n', `$300000\r\n`.length + body.length + 2);
  assert.deepEqual(reply.subarray(9, -2), body);
});

test('an upload that breaks off is never seen, and gives its memory back', async (t) => {
  const server = await testCache(t);
  const size = 40 << 20;
  const broken = new Client(t, server, 'lm');
  broken.socket.write(Buffer.concat([lmHead(1, size, 'k'), Buffer.alloc(1 << 20)]));
  const client = new Client(t, server, 'redis');
  await client.says('*2\r\n$6\r\nEXISTS\r\n$1\r\nk\r\n', ':0\r\n');
  broken.socket.destroy();
  const again = new Client(t, server, 'lm');
  await until(async () => {
    const bytes = Buffer.concat([lmHead(1, size, 'k'), Buffer.alloc(size), lmHead(3, 0, 'k')]);
    return (await again.ask(bytes, 36)).readInt32LE(0) === 200;
  });
});

test('a large value has options as a small one, and is dropped if they forbid it', async (t) => {
  const server = await testCache(t);
  const client = new Client(t, server, 'redis');
  const set = (fill: string, ...options: readonly string[]) => {
    const args = ['SET', 'k', fill.repeat(200_000), ...options];
    return `*${args.length}\r\n${args.map((arg) => `$${arg.length}\r\n${arg}\r\n`).join('')}`;
  };
  await client.says(set('a', 'EX', '90', 'NX'), '+OK\r\n');
  await client.says(set('b', 'NX'), '$-1\r\n');
  await client.says('GETRANGE k 0 1\r\n', '$2\r\naa\r\n');
  await client.says('TTL k\r\n', ':90\r\n');
  await client.says(set('c', 'EX', '1e3'), '-ERR value is not an integer or out of range\r\n');
  await client.says('*2\r\n$4\r\nSCAN\r\n$1\r\n0\r\n', '*2\r\n$1\r\n0\r\n*1\r\n$1\r\nk\r\n');
  await client.says('FLUSHALL\r\n', '+OK\r\n');
  assert.equal(server.store.stats.bytes, 0);
});

test('a connection that reads many values grows no listeners', async (t) => {
  const client = new Client(t, await testCache(t), 'redis');
  await client.says('SET k v\r\n', '+OK\r\n');
  const warnings: Error[] = [];
  const warned = (warning: Error) => warnings.push(warning);
  process.on('warning', warned);
  t.after(() => process.off('warning', warned));
  for (let i = 0; i < 30; i++) await client.says('GET k\r\n', '$1\r\nv\r\n');
  assert.deepEqual(warnings, []);
});

test('a client that reads no replies is not served on, and nobody else waits', async (t) => {
  const server = await testCache(t);
  const writer = new Client(t, server, 'redis');
  const value = Buffer.alloc(8 << 20, 'x');
  await writer.ask(`*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$${value.length}\r\n`, 0);
  writer.socket.write(value);
  await writer.says('\r\n', '+OK\r\n');
  const greedy = new Client(t, server, 'redis');
  greedy.socket.pause();
  greedy.socket.write('GET k\r\n'.repeat(10_000));
  await writer.says('PING\r\n', '+PONG\r\n');
  await until(() => server.store.stats.hits > 0);
  await writer.says('PING\r\n', '+PONG\r\n');
  assert.ok(server.store.stats.hits < 10, `${server.store.stats.hits} replies of 8 MiB at once`);
});

test('a client that sends very many commands at once gets its replies in order, and nobody waits for them', async (t) => {
  const server = await testCache(t);
  const [many, other] = [new Client(t, server, 'redis'), new Client(t, server, 'redis')];
  await other.says('PING\r\n', '+PONG\r\n');
  const expected = Array.from({ length: 60_000 }, (_, i) => `$${`${i}`.length}\r\n${i}\r\n`).join(
    '',
  );
  many.socket.write(Array.from({ length: 60_000 }, (_, i) => `ECHO ${i}\r\n`).join(''));
  await until(() => many.received.length > 0);
  await other.says('PING\r\n', '+PONG\r\n');
  assert.ok(
    many.received.length < expected.length / 2,
    `${many.received.length} bytes of replies came first`,
  );
  assert.equal((await many.ask('', expected.length)).toString(), expected);
});

test('commands, options and errors are those of Redis', async (t) => {
  const client = new Client(t, await testCache(t), 'redis');
  const dialogue: readonly (readonly [string, string])[] = [
    ['PING\r\n', '+PONG\r\n'],
    ['GET nothing\r\n', '$-1\r\n'],
    ['SET a 12345 EX 100\r\n', '+OK\r\n'],
    ['TTL a\r\n', ':100\r\n'],
    ['SET a x NX\r\n', '$-1\r\n'],
    ['SET a new GET\r\n', '$5\r\n12345\r\n'],
    ['TTL a\r\n', ':-1\r\n'],
    ['SET a x EX 0\r\n', "-ERR invalid expire time in 'set' command\r\n"],
    ['SET a x EX soon\r\n', '-ERR value is not an integer or out of range\r\n'],
    ['SET a x NX XX\r\n', '-ERR syntax error\r\n'],
    ['GETRANGE a -2 -1\r\n', '$2\r\new\r\n'],
    ['STRLEN a\r\n', ':3\r\n'],
    ['EXISTS a a b\r\n', ':2\r\n'],
    ['MSET b 1 c 2\r\n', '+OK\r\n'],
    ['MGET b x c\r\n', '*3\r\n$1\r\n1\r\n$-1\r\n$1\r\n2\r\n'],
    ['TYPE b\r\n', '+string\r\n'],
    ['DBSIZE\r\n', ':3\r\n'],
    ['DEL a b x\r\n', ':2\r\n'],
    ['EXPIRE c 50\r\n', ':1\r\n'],
    ['TTL x\r\n', ':-2\r\n'],
    ['GET\r\n', "-ERR wrong number of arguments for 'get' command\r\n"],
    ['LPUSH a b\r\n', "-ERR unknown command 'LPUSH', with args beginning with: 'a' 'b' \r\n"],
    [
      'caf\u00e9 \u00ff\r\n',
      "-ERR unknown command 'caf\u00e9', with args beginning with: '\u00ff' \r\n",
    ],
    ['AUTH default any\r\n', '+OK\r\n'],
    ['AUTH other any\r\n', '-WRONGPASS invalid username-password pair or user is disabled.\r\n'],
    ['SELECT 1\r\n', '-ERR DB index is out of range\r\n'],
    ['FLUSHALL\r\n', '+OK\r\n'],
    ['DBSIZE\r\n', ':0\r\n'],
    ['HELLO 4\r\n', '-NOPROTO unsupported protocol version\r\n'],
  ];
  for (const [command, reply] of dialogue) await client.says(command, reply);
  const hello = await client.ask('HELLO 3\r\n', 5);
  assert.equal(hello.toString(), '%7\r\n$');
  await until(() => client.received.includes('modules\r\n*0\r\n'));
  client.received = Buffer.alloc(0);
  await client.says('GET nothing\r\n', '_\r\n');
  await client.says('*1\r\nGET\r\n', "-ERR Protocol error: expected '$', got 'G'\r\n");
  await until(() => client.isClosed);
});

test('with a password nothing is served before it is given', async (t) => {
  const server = await testCache(t, { password: 'secret' });
  const client = new Client(t, server, 'redis');
  await client.says('GET a\r\n', '-NOAUTH Authentication required.\r\n');
  const wrong = '-WRONGPASS invalid username-password pair or user is disabled.\r\n';
  await client.says('AUTH wrong\r\n', wrong);
  await client.says('AUTH other secret\r\n', wrong);
  await client.says('GET a\r\n', '-NOAUTH Authentication required.\r\n');
  await client.says('AUTH default secret\r\n', '+OK\r\n');
  await client.says('GET a\r\n', '$-1\r\n');
  const third = new Client(t, server, 'redis');
  assert.equal((await third.ask('HELLO 3 AUTH default secret\r\n', 4)).toString(), '%7\r\n');
});

test('the command prints where it listens, serves, and ends with a signal', async (t) => {
  const args = ['bin/spillway.mjs', 'cache', '--port', '0', '--resp-port', '0', '--memory', '8MiB'];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  t.after(() => child.kill('SIGKILL'));
  const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
  const [, lm, resp] =
    /^ready: lm:\/\/127\.0\.0\.1:(\d+) redis:\/\/127\.0\.0\.1:(\d+)$/.exec(line) ?? [];
  const socket = connect(Number(resp), '127.0.0.1');
  socket.write('PING\r\n');
  const [reply] = (await once(socket, 'data')) as [Buffer];
  assert.equal(reply.toString(), '+PONG\r\n');
  assert.throws(
    () =>
      execFileSync(process.execPath, [...args.slice(0, 2), '--port', `${lm}`], { stdio: 'pipe' }),
    (error: { readonly status: number; readonly stderr: Buffer }) => {
      assert.equal(error.status, 2);
      assert.match(error.stderr.toString(), /^spillway: Port \d+ on 127\.0\.0\.1 is in use; stop/m);
      return true;
    },
  );
  child.kill('SIGTERM');
  const [status] = (await once(child, 'exit')) as [number | null];
  assert.equal(status, 0);
});
