// The cache server's RESP port: replies as Redis 7 gives them, and what it promises beyond Redis.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { ManualClock } from '../../src/core/base/index.ts';
import { CacheClient as Client, redisDialogue, testCache } from '../support/cache.ts';
import { until } from '../support/until.ts';

test('replies and errors are those that Redis 7.0.15 gave', async (t) => {
  const server = await testCache(t);
  let client = new Client(t, server, 'redis');
  for (const { send, reply, closes } of redisDialogue) {
    assert.equal((await client.ask(`${send}\r\n`, reply.length)).toString('latin1'), reply, send);
    if (!closes) continue;
    await until(() => client.isClosed);
    client = new Client(t, server, 'redis');
  }
});

const array = (...args: readonly string[]) =>
  `*${args.length}\r\n${args.map((arg) => `$${arg.length}\r\n${arg}\r\n`).join('')}`;

test('EXPIRETIME, EXAT and PXAT count from 1970', async (t) => {
  const client = new Client(
    t,
    await testCache(t, { wallClock: new ManualClock(1000), clock: new ManualClock() }),
    'redis',
  );
  await client.says('SET a v EXAT 1100\r\n', '+OK\r\n');
  await client.says('TTL a\r\n', ':100\r\n');
  await client.says('EXPIRETIME a\r\n', ':1100\r\n');
  await client.says('SET a v PXAT 1050000\r\n', '+OK\r\n');
  await client.says('PEXPIRETIME a\r\n', ':1050000\r\n');
  await client.says('EXPIREAT a 1200 GT\r\n', ':1\r\n');
  await client.says('TTL a\r\n', ':200\r\n');
  await client.says('PEXPIREAT a 999000\r\n', ':1\r\n');
  await client.says('EXISTS a\r\n', ':0\r\n');
  await client.says('SET a v EX 100\r\n', '+OK\r\n');
  await client.says('SET a w EXAT 1000\r\n', '+OK\r\n');
  await client.says('GET a\r\n', '$-1\r\n');
});

test('RESET takes back protocol, name and password', async (t) => {
  const client = new Client(t, await testCache(t, { password: 'secret' }), 'redis');
  const hello = await client.ask('HELLO 3 AUTH default secret SETNAME me\r\n', 4);
  assert.equal(hello.toString(), '%7\r\n');
  await until(() => client.received.includes('modules\r\n*0\r\n'));
  client.received = Buffer.alloc(0);
  await client.says('CLIENT GETNAME\r\n', '$2\r\nme\r\n');
  await client.says(
    'AUTH wrong\r\n',
    '-WRONGPASS invalid username-password pair or user is disabled.\r\n',
  );
  await client.says('GET a\r\n', '_\r\n');
  await client.says(
    'INFO replication\r\n',
    '=52\r\ntxt:# Replication\r\nrole:master\r\nconnected_slaves:0\r\n\r\n',
  );
  await client.says('RESET\r\n', '+RESET\r\n');
  await client.says('GET a\r\n', '-NOAUTH Authentication required.\r\n');
  await client.says('AUTH secret\r\n', '+OK\r\n');
  await client.says('GET a\r\n', '$-1\r\n');
});

test('a scan in steps reports every key once, while they are read', async (t) => {
  const client = new Client(t, await testCache(t), 'redis');
  for (let i = 0; i < 100; i++) await client.says(`SET k${i} v\r\n`, '+OK\r\n');
  const seen: string[] = [];
  let cursor = '0';
  do {
    client.socket.write(`SCAN ${cursor} COUNT 7\r\n`);
    await until(() =>
      /^\*2\r\n\$\d+\r\n\d+\r\n\*(\d+)\r\n(?:\$\d+\r\nk\d+\r\n)*$/.test(client.received.toString()),
    );
    const [, , next = '', , ...keys] = client.received.toString().split('\r\n');
    client.received = Buffer.alloc(0);
    seen.push(...keys.filter((word) => word.startsWith('k')));
    cursor = next;
    for (let i = 0; i < 100; i += 9) await client.says(`GET k${i}\r\n`, '$1\r\nv\r\n');
  } while (cursor !== '0');
  assert.equal(seen.length, 100);
  assert.equal(new Set(seen).size, 100);
});

// LMCache's C++ client reads `$<size>\r\n` of the size that it expects before it looks at it.
test('a miss has the length that LMCache’s client in C++ reads', async (t) => {
  const server = await testCache(t);
  const client = new Client(t, server, 'redis');
  const key = (hash: string, group = '0') => `fake/tiny@02010201@${group}@${hash.repeat(8)}`;
  await client.says(array('GET', key('0a')), '$-1\r\n');
  await client.says(array('SET', key('0b'), 'x'.repeat(1_048_576)), '+OK\r\n');
  await client.says(array('SET', key('0b', 'a'), 'x'.repeat(1024)), '+OK\r\n');
  await client.says(array('GET', key('0a')), '$-1\r\n\r\n\r\n\r\n'.slice(0, '$1048576\r\n'.length));
  await client.says(array('GET', `${key('0a')}@salt`), '$-1\r\n\r\n\r\n\r\n'.slice(0, 10));
  await client.says(array('GET', key('0a', 'a')), '$-1\r\n\r\n');
  await client.says(array('EXISTS', key('0a')), ':0\r\n');
  await client.says(array('GET', 'fake/tiny@1@0@abc@bfloat16'), '$-1\r\n');
  // Any other command shows another client, which reads replies as they are.
  await client.says(array('PING'), '+PONG\r\n');
  await client.says(array('GET', key('0a')), '$-1\r\n');
  const another = new Client(t, server, 'redis');
  await another.says(`GET ${key('0a')}\r\n`, '$-1\r\n');
});

test('every byte of a value comes back, streamed or not', async (t) => {
  const client = new Client(t, await testCache(t), 'redis');
  for (const length of [256, 65_536, 65_537]) {
    const value = Buffer.from(Uint8Array.from({ length }, (_, i) => i & 255)).toString('latin1');
    await client.says(array('SET', value.slice(0, 256), value), '+OK\r\n');
    await client.says(array('GET', value.slice(0, 256)), `$${length}\r\n${value}\r\n`);
  }
});

test('a key without end is refused, and a large value for it is read to its end', async (t) => {
  const client = new Client(t, await testCache(t), 'redis');
  const error = '-ERR the key is 5000 bytes long; the maximum is 4096\r\n';
  await client.says(array('SET', 'k'.repeat(5000), 'v'), error);
  await client.says(array('SET', 'k'.repeat(5000), 'v'.repeat(100_000)), error);
  await client.says(
    array('FOO', 'k', 'v'.repeat(100_000)),
    "-ERR unknown command 'FOO', with args beginning with: 'k' '' \r\n",
  );
  await client.says(
    array('ECHO', 'k', 'v'.repeat(100_000)),
    "-ERR 'echo' takes no value above 64 KiB\r\n",
  );
  await client.says('PING\r\n', '+PONG\r\n');
});

test('lm:// does not hand out values of Redis clients, which have no type and no shape', async (t) => {
  const server = await testCache(t);
  const [lm, resp] = [new Client(t, server, 'lm'), new Client(t, server, 'redis')];
  await resp.says('SET k hello\r\n', '+OK\r\n');
  for (const command of [2, 3]) {
    assert.equal((await lm.askLm(command, 'k')).readInt32LE(0), 400);
  }
  await lm.putLm('k', Buffer.from('world'));
  assert.equal((await lm.askLm(3, 'k')).readInt32LE(0), 200);
  await resp.says('GET k\r\n', '$5\r\nworld\r\n');
  await resp.says('DEL k\r\n', ':1\r\n');
  assert.equal((await lm.askLm(3, 'k')).readInt32LE(0), 400);
});

test('a trickled upload is cut off; uploads one after the other are not', async (t) => {
  const deadlines = { stalledMs: 60_000, requestMs: 300, unreadMs: 60_000 };
  const server = await testCache(t, { deadlines });
  for (const scheme of ['lm', 'redis'] as const) {
    const trickling = new Client(t, server, scheme);
    const busy = new Client(t, server, scheme);
    // Each piece ends within a request, so that there is never a moment without one.
    const value = 'x'.repeat(100_000);
    const request =
      scheme === 'lm'
        ? Client.lmPut('b', Buffer.from(value))
        : Buffer.from(array('SET', 'b', value));
    const stream = Buffer.concat([request, request]);
    trickling.socket.write(request.subarray(0, 40));
    busy.socket.write(request.subarray(0, 1000));
    let [sent, at] = [0, 1000];
    await until(() => {
      if (!trickling.isClosed) trickling.socket.write('x');
      if (busy.socket.writableLength === 0) {
        busy.socket.write(stream.subarray(at, at + request.length));
        sent++;
      }
      at = 1000;
      return trickling.isClosed && sent > 10;
    });
    assert.equal(busy.isClosed, false, scheme);
    busy.socket.destroy();
  }
});

test('an upload that pauses is cut off, also by a client that was idle for longer before', async (t) => {
  const deadlines = { stalledMs: 50, requestMs: 60_000, unreadMs: 60_000 };
  const server = await testCache(t, { deadlines });
  const client = new Client(t, server, 'redis');
  await client.says('PING\r\n', '+PONG\r\n');
  await sleep(3 * deadlines.stalledMs);
  await client.says('PING\r\n', '+PONG\r\n');
  client.socket.write('*2\r\n$3\r\nGET\r\n');
  await until(() => client.isClosed);
});

test('a client that reads nothing of its replies is cut off, one that goes on later is not', async (t) => {
  const deadlines = { stalledMs: 50, requestMs: 60_000, unreadMs: 200 };
  const server = await testCache(t, { deadlines, httpPort: 0 });
  const http = server.urls.find((url) => url.startsWith('http:'));
  const stats = async () =>
    (await (await fetch(`${http}/stats`)).json()) as { connections: object };
  const value = Buffer.alloc(16 << 20, 'v');
  const patient = new Client(t, server, 'redis');
  await patient.says('PING\r\n', '+PONG\r\n');
  patient.socket.write(
    Buffer.concat([Buffer.from(`*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$${value.length}\r\n`), value]),
  );
  await patient.says('\r\n', '+OK\r\n');
  const silent = new Client(t, server, 'redis');
  await silent.says('PING\r\n', '+PONG\r\n');
  silent.socket.pause();
  silent.socket.write('GET k\r\n'.repeat(100));
  await until(async () => {
    // Each reply is read a while after it was sent.
    await patient.says('STRLEN k\r\n', ':16777216\r\n');
    return JSON.stringify((await stats()).connections) === '{"lm":0,"resp":1}';
  });
  assert.equal(patient.isClosed, false);
  const metrics = await (await fetch(`${http}/metrics`)).text();
  assert.match(metrics, /closed_connections_total\{protocol="resp",reason="unread"\} 1\.0\n/);
});
