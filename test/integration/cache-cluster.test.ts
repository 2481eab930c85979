// Servers that share keys, as clients of Redis Cluster see them.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { ClusterRedirects } from '../../src/apps/cache/index.ts';
import { slotOf } from '../../src/core/resp/index.ts';
import { freePorts } from '../../src/io/processes/index.ts';
import { CacheClient as Client, peersKey, testCache } from '../support/cache.ts';
import { until } from '../support/until.ts';

const ok = '+OK\r\n';

async function threeServers(
  t: TestContext,
  { copies = 1, redirects }: { copies?: number; redirects?: ClusterRedirects } = {},
) {
  const ports = await freePorts(3);
  const members = ports.map((port) => `127.0.0.1:${port}`);
  const servers = await Promise.all(
    ports.map((respPort, i) =>
      testCache(t, {
        ...{ respPort, redirects },
        peers: {
          self: members[i] as string,
          members,
          copies,
          handOverBytesPerSecond: 1 << 30,
          key: peersKey,
        },
      }),
    ),
  );
  const clients = servers.map((server) => new Client(t, server, 'redis'));
  return { ports, servers, clients, client: clients[0] as Client };
}

/** Reads the reply of CLUSTER SLOTS in RESP2. */
function readSlots(text: string) {
  const numbers = text
    .split('\r\n')
    .filter((line) => /^:/.test(line))
    .map((line) => Number(line.slice(1)));
  const ranges = [];
  for (let i = 0; i < numbers.length; i += 3) {
    const [from = 0, to = 0, port = 0] = numbers.slice(i, i + 3);
    ranges.push({ from, to, port });
  }
  return ranges;
}

async function slotsOf(client: Client) {
  client.socket.write('CLUSTER SLOTS\r\nPING\r\n');
  while (!client.received.includes('+PONG\r\n')) await new Promise(setImmediate);
  const text = client.received.toString('latin1');
  client.received = Buffer.alloc(0);
  return readSlots(text);
}

test('CLUSTER SLOTS has each slot once, in nearly equal shares, alike on all servers', async (t) => {
  const { clients, ports } = await threeServers(t);
  const [first = [], ...others] = await Promise.all(clients.map(slotsOf));
  let next = 0;
  const shares = new Map(ports.map((port) => [port, 0]));
  for (const { from, to, port } of first) {
    assert.equal(from, next);
    next = to + 1;
    shares.set(port, (shares.get(port) ?? 0) + to + 1 - from);
  }
  assert.equal(next, 16_384);
  assert.equal(shares.size, 3);
  for (const share of shares.values()) assert.ok(share > 4500 && share < 6500, `${share} slots`);
  for (const other of others) assert.deepEqual(other, first);
});

test('a client that knows the cluster is sent to the server that keeps a key; others are served', async (t) => {
  const { clients, client, ports } = await threeServers(t);
  const ranges = await slotsOf(client);
  const holder = (slot: number) =>
    ranges.find(({ from, to }) => from <= slot && slot <= to)?.port ?? 0;
  const own = ports[0] as number;
  const plain = new Client(t, { urls: [`redis://127.0.0.1:${own}`] }, 'redis');
  let moved = 0;
  for (let i = 0; i < 30; i++) {
    const slot = slotOf(`k${i}`);
    const port = holder(slot);
    await plain.says(`SET k${i} v${i}\r\n`, ok);
    const large = 'x'.repeat(100_000);
    const set = `*3\r\n$3\r\nSET\r\n$2\r\nk${i % 10}\r\n$100000\r\n${large}\r\n`;
    if (port === own) {
      await client.says(`GET k${i}\r\n`, `$${`v${i}`.length}\r\nv${i}\r\n`);
      continue;
    }
    moved++;
    await client.says(`GET k${i}\r\n`, `-MOVED ${slot} 127.0.0.1:${port}\r\n`);
    if (i < 10) await client.says(set, `-MOVED ${slot} 127.0.0.1:${port}\r\n`);
    const there = clients[ports.indexOf(port)] as Client;
    await there.says(`GET k${i}\r\n`, `$${`v${i}`.length}\r\nv${i}\r\n`);
  }
  assert.ok(moved > 5, `${moved} of 30`);
  // Keys of several slots are served by any server.
  await client.says('MGET k0 k1 k2\r\n', '*3\r\n$2\r\nv0\r\n$2\r\nv1\r\n$2\r\nv2\r\n');
});

test('a client that is sent to the first server of a key may watch it there; others may not', async (t) => {
  const { servers } = await threeServers(t, { copies: 2 });
  const refused = /^-ERR WATCH needs one server for a key, .*; the next EXEC executes nothing/;
  const found: string[] = [];
  for (const server of servers) {
    const [knowing, plain] = [new Client(t, server, 'redis'), new Client(t, server, 'redis')];
    await slotsOf(knowing);
    for (const one of [knowing, plain]) {
      one.socket.write('WATCH k\r\nMULTI\r\nPING\r\nEXEC\r\n');
      await until(() => /\*1\r\n\+PONG\r\n|EXECABORT[\s\S]*\n/.test(one.received.toString()));
    }
    assert.match(plain.received.toString(), refused);
    const text = knowing.received.toString();
    found.push(refused.test(text) ? 'refused' : (/^.(OK|MOVED)/.exec(text)?.[1] ?? text));
  }
  assert.deepEqual(found.toSorted(), ['MOVED', 'OK', 'refused']);
});

test('redirections of all clients, and of none', async (t) => {
  for (const redirects of ['always', 'never'] as const) {
    const { client } = await threeServers(t, { redirects });
    if (redirects === 'never') await slotsOf(client);
    let moved = 0;
    for (let i = 0; i < 20; i++) {
      client.socket.write(`GET k${i}\r\nPING\r\n`);
      while (!client.received.includes('+PONG\r\n')) await new Promise(setImmediate);
      if (client.received.includes('MOVED')) moved++;
      client.received = Buffer.alloc(0);
    }
    assert.equal(moved > 5, redirects === 'always', `${moved} of 20`);
  }
});

test('with a copy of each value, CLUSTER SLOTS names two servers, and either one serves', async (t) => {
  const { client } = await threeServers(t, { copies: 2 });
  client.socket.write('CLUSTER SLOTS\r\nPING\r\n');
  while (!client.received.includes('+PONG\r\n')) await new Promise(setImmediate);
  assert.match(client.received.toString(), /^\*\d+\r\n\*4\r\n:0\r\n:\d+\r\n\*4\r\n/);
});

test('cluster clients are sent to the servers that reply; a server that is back gets its slots again', async (t) => {
  const ports = await freePorts(3);
  const members = ports.map((port) => `127.0.0.1:${port}`);
  const start = (i: number) =>
    testCache(t, {
      respPort: ports[i] as number,
      peers: {
        ...{ self: members[i] as string, members, copies: 1, checkMs: 50 },
        handOverBytesPerSecond: 1 << 30,
        key: peersKey,
      },
    });
  const servers = await Promise.all([0, 1, 2].map(start));
  const [a, b] = servers.slice(0, 2).map((server) => new Client(t, server, 'redis'));
  assert.ok(a && b);
  const portsOf = async (client: Client) =>
    new Set((await slotsOf(client)).map(({ port }) => port)).size;
  assert.equal(await portsOf(a), 3);
  await servers[2]?.close();
  await until(async () => (await portsOf(a)) === 2 && (await portsOf(b)) === 2);
  const all = await slotsOf(a);
  assert.deepEqual(await slotsOf(b), all, 'all slots, alike on both');
  assert.equal(all.at(-1)?.to, 16_383);
  // No redirection leads to the one that is gone.
  for (let i = 0; i < 20; i++) {
    a.socket.write(`SET k${i} v\r\nPING\r\n`);
    await until(() => a.received.includes('+PONG\r\n'));
    assert.ok(!a.received.includes(`:${ports[2]}`), a.received.toString());
    a.received = Buffer.alloc(0);
  }
  await start(2);
  await until(async () => (await portsOf(a)) === 3);
});

test('a server alone has no cluster, as Redis has none', async (t) => {
  const client = new Client(t, await testCache(t), 'redis');
  const disabled = '-ERR This instance has cluster support disabled\r\n';
  for (const command of ['CLUSTER SLOTS', 'CLUSTER INFO', 'READONLY']) {
    await client.says(`${command}\r\n`, disabled);
  }
  await client.says('CLUSTER KEYSLOT foo\r\n', ':12182\r\n');
});
