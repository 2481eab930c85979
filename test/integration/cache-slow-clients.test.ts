// Clients that do not read, or do not end what they send: what they cost the others, and the memory of the process.
import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import type { CacheServer } from '../../src/apps/cache/index.ts';
import { CacheClient as Client, testCache } from '../support/cache.ts';
import { until } from '../support/until.ts';

const MiB = 1 << 20;
const size = 6 * MiB;
const head = `$${size}\r\n`;

async function withValue(t: TestContext, scheme: 'lm' | 'redis') {
  const server = await testCache(t, { httpPort: 0 });
  const client = new Client(t, server, scheme);
  const body = Buffer.alloc(size, 'v');
  if (scheme === 'lm') await client.putLm('k', body);
  else {
    client.socket.write(`*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$${size}\r\n`);
    client.socket.write(body);
    await client.says('\r\n', '+OK\r\n');
  }
  return { server, client };
}

/** Changes a byte of the value in memory. */
function damage({ store }: CacheServer, at: number): void {
  const value = store.peek('k') ?? assert.fail();
  let from = 0;
  for (const span of value.spans) {
    if (at >= from && at < from + span.length) span[at - from] = 1;
    from += span.length;
  }
  value.release();
}

test('redis: a large value with a wrong byte is cut off before its piece, and is a miss from then on', async (t) => {
  const { server, client } = await withValue(t, 'redis');
  damage(server, 3.5 * MiB);
  const reply = await client.ask('GET k\r\n', head.length + size + 2);
  assert.equal(client.isClosed, true);
  assert.equal(client.received.length + reply.length, head.length + 3 * MiB);
  assert.equal(server.store.stats.corrupt, 1);
  await new Client(t, server, 'redis').says('GET k\r\n', '$-1\r\n');
});

test('lm: the same', async (t) => {
  const { server, client } = await withValue(t, 'lm');
  damage(server, size - 1);
  const reply = await client.ask(Client.lmHead(2, 0, 'k'), 36 + size);
  assert.equal(client.isClosed, true);
  assert.equal(client.received.length + reply.length, 36 + 5 * MiB);
  assert.equal((await new Client(t, server, 'lm').askLm(2, 'k')).readInt32LE(0), 400);
});

test('a part of a value without the wrong byte is right', async (t) => {
  const { server, client } = await withValue(t, 'redis');
  damage(server, 3.5 * MiB);
  await client.says(`GETRANGE k ${4 * MiB} ${4 * MiB + 4}\r\n`, '$5\r\nvvvvv\r\n');
  await client.says(`GETRANGE k ${2 * MiB} ${2 * MiB + 4}\r\n`, '$5\r\nvvvvv\r\n');
});

test('large values in MGET and in a pipeline come in order, with what is between them', async (t) => {
  const { client } = await withValue(t, 'redis');
  const value = `${head}${'v'.repeat(size)}\r\n`;
  await client.says(
    'MGET none k none k\r\nPING\r\nGET k\r\nGETRANGE k 0 1\r\nPING\r\n',
    [
      ...['*4\r\n$-1\r\n', value, '$-1\r\n', value],
      ...['+PONG\r\n', value, '$2\r\nvv\r\n', '+PONG\r\n'],
    ].join(''),
  );
});

/** Clients that begin a command and never end it, or never read. */
function hostile(t: TestContext, server: CacheServer, count: number, bytes: Buffer): Socket[] {
  const url = server.urls.find((one) => one.startsWith('redis:')) ?? '';
  return Array.from({ length: count }, () => {
    const socket = connect(Number(new URL(url).port), '127.0.0.1').pause();
    socket.on('error', () => {});
    socket.write(bytes);
    t.after(() => socket.destroy());
    return socket;
  });
}

async function metricsOf({ urls }: CacheServer): Promise<string> {
  const url = urls.find((one) => one.startsWith('http:')) ?? '';
  return await (await fetch(`${url}/metrics`)).text();
}

async function statsOf({ urls }: CacheServer) {
  const url = urls.find((one) => one.startsWith('http:')) ?? '';
  return (await (await fetch(`${url}/stats`)).json()) as {
    readonly clientBytes: number;
    readonly connections: { readonly resp: number };
  };
}

for (const [what, bytes] of [
  [
    'commands that never end',
    Buffer.from(`*200\r\n$4\r\nMSET\r\n${`$60000\r\n${'x'.repeat(60_000)}\r\n`.repeat(60)}`),
  ],
  [
    'replies that are never read',
    Buffer.from(`*2\r\n$4\r\nECHO\r\n$60000\r\n${'x'.repeat(60_000)}\r\n`.repeat(400)),
  ],
] as const) {
  test(`${what} are bounded together: the largest client is disconnected first, and a bystander stays`, async (t) => {
    const server = await testCache(t, { httpPort: 0, clientBytesMax: 8 * MiB });
    const bystander = new Client(t, server, 'redis');
    await bystander.says('SET k v\r\n', '+OK\r\n');
    const clients = hostile(t, server, 41, bytes);
    const closed = /reason="memory"\} (\d+)/;
    await until(async () => closed.test(await metricsOf(server)));
    for (let i = 0; i < 50; i++) {
      const { clientBytes } = await statsOf(server);
      assert.ok(clientBytes <= 8 * MiB, `${clientBytes} bytes`);
    }
    await bystander.says('GET k\r\n', '$1\r\nv\r\n');
    for (const socket of clients) socket.destroy();
    await until(async () => (await statsOf(server)).connections.resp === 1);
    assert.equal((await statsOf(server)).clientBytes, 0);
  });
}
