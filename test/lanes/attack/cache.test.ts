// Hostile clients and tenants of the cache server, each with its bound; docs/guide/threat-model.md lists what they did before.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { freePorts } from '../../../src/io/processes/index.ts';
import type { Measured } from './target.ts';
import { until } from './target.ts';

/** Time on the processor that other clients may wait for one turn. */
const pauseMsMax = 250;
/** Longest wait of a client that does nothing wrong, on a machine on which other programs run; pauses are what counts. */
const waitMsMax = 10_000;
/** Clients of the attacks on memory. */
const clients = Number(process.env['ATTACK_CONNECTIONS'] ?? 2_000);
const MiB = 2 ** 20;
/**
 * What the process may take beside --memory: the program and its garbage, 64 MiB for requests and replies of all clients, and 32 KiB for
 * each connection (docs/guide/cache-operation.md).
 */
const overheadMiB = 220 + 64 + (clients * 32) / 1024;

interface Cache {
  readonly port: number;
  readonly httpUrl: string;
  readonly pid: number;
  measure(): Promise<Measured>;
  open(bytes?: Uint8Array | string): Socket;
  /** The reply to one command on a connection of its own, and how long it took. */
  ask(command: string): Promise<{ readonly reply: string; readonly ms: number }>;
}

async function startCache(
  t: TestContext,
  flags: readonly string[] = [],
  env: Readonly<Record<string, string>> = {},
): Promise<Cache> {
  const [port = 0, http = 0] = await freePorts(2);
  const spillway = join(import.meta.dirname, '../../../bin/spillway.mjs');
  const meter = join(import.meta.dirname, 'meter.mjs');
  const own = ['--no-lm', '--resp-port', `${port}`, '--http-port', `${http}`];
  const child = spawn(process.execPath, ['--import', meter, spillway, 'cache', ...own, ...flags], {
    stdio: ['ignore', 'pipe', 'ignore', 'ipc'],
    env: { ...process.env, ...env },
  });
  t.after(async () => {
    if (child.exitCode !== null || !child.kill('SIGKILL')) return;
    await once(child, 'exit');
  });
  await Promise.race([
    once(child.stdout ?? assert.fail(), 'data'),
    new Promise((_, reject) => setTimeout(reject, 60_000, new Error('it did not start')).unref()),
  ]);
  const sockets = new Set<Socket>();
  t.after(() => {
    for (const socket of sockets) socket.destroy();
  });
  const open: Cache['open'] = (bytes) => {
    const socket = connect(port, '127.0.0.1');
    sockets.add(socket);
    socket.on('error', () => {});
    if (bytes !== undefined) socket.write(bytes);
    return socket;
  };
  return {
    ...{ port, httpUrl: `http://127.0.0.1:${http}`, pid: child.pid ?? 0, open },
    measure: async () => {
      child.send('report');
      const [measured] = (await once(child, 'message')) as [Measured];
      return measured;
    },
    ask: async (command) => {
      const startMs = performance.now();
      const socket = open(command);
      const [reply] = (await once(socket, 'data')) as [Buffer];
      socket.destroy();
      sockets.delete(socket);
      return { reply: reply.toString('latin1'), ms: performance.now() - startMs };
    },
  };
}

const bulk = (word: string) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`;
const words = (...all: readonly string[]) => `*${all.length}\r\n${all.map(bulk).join('')}`;

async function store(cache: Cache, key: string, bytes: number): Promise<void> {
  const socket = cache.open(`*3\r\n$3\r\nSET\r\n${bulk(key)}$${bytes}\r\n`);
  socket.write(Buffer.alloc(bytes, 'v'));
  socket.write('\r\n');
  await once(socket, 'data');
  socket.destroy();
}

async function checkOthers(cache: Cache, forMs = 2_000): Promise<void> {
  const endMs = performance.now() + forMs;
  while (performance.now() < endMs) {
    const { reply, ms } = await cache.ask('PING\r\n');
    assert.equal(reply, '+PONG\r\n');
    assert.ok(ms < waitMsMax, `a PING took ${ms.toFixed(0)} ms`);
    const { status } = await fetch(`${cache.httpUrl}/health`);
    assert.equal(status, 200);
  }
}

async function checkPauses(cache: Cache): Promise<void> {
  const { longestPauseMs } = await cache.measure();
  assert.ok(longestPauseMs < pauseMsMax, `a pause of ${longestPauseMs.toFixed(0)} ms`);
}

/** Resident memory now. */
function rssMiB({ pid }: Cache): number {
  const kib = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Number(kib) / 1024;
}

test('a client that says that it is another cache server stays a tenant', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'spillway-attack-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const users = join(folder, 'users.yaml');
  writeFileSync(users, 'users:\n  - {name: alice, passwordEnv: ALICE, tenant: team-a}\n');
  const cache = await startCache(t, ['--users', users, '--password-env', 'OWN'], {
    ALICE: 'a',
    OWN: 'c',
  });
  await cache.ask(words('AUTH', 'alice', 'a') + words('SET', 'k', 'of-alice'));
  const socket = cache.open();
  let seen = '';
  socket.on('data', (bytes: Buffer) => {
    seen += bytes.toString('latin1');
  });
  socket.write(words('AUTH', 'c') + words('PEER.HELLO') + words('SCAN', '0'));
  socket.write(words('GET', '\0team-a\0k') + words('PEER.FLUSH') + words('PING'));
  await until(() => seen.endsWith('+PONG\r\n'));
  assert.match(seen, /^\+OK\r\n-NOPERM .*\r\n\*2\r\n\$1\r\n0\r\n\*0\r\n\$-1\r\n-NOPERM /);
});

test('a FIFO, a link to a device and files of others among the values', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'spillway-attack-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const shard = join(folder, 'v1', 'ab');
  mkdirSync(shard, { recursive: true });
  const name = (i: number) => join(shard, `${'ab'.repeat(16)}-${i}`);
  execFileSync('mkfifo', [name(1)]);
  execFileSync('ln', ['-s', '/dev/zero', name(2)]);
  const cache = await startCache(t, ['--disk', folder, '--disk-size', '1GiB']);
  assert.equal((await cache.ask('PING\r\n')).reply, '+PONG\r\n');
});

test('300 clients that ask for a value of 20 MB fifty times, and never read', async (t) => {
  const cache = await startCache(t, ['--memory', '64MiB']);
  await store(cache, 'big', 20_000_000);
  await cache.measure();
  for (let i = 0; i < 300; i++) cache.open('GET big\r\n'.repeat(50)).pause();
  await checkOthers(cache);
  await checkPauses(cache);
});

for (const [what, command] of [
  ['KEYS', 'KEYS *nothing*here\r\n'],
  ['SCAN', 'SCAN 0 COUNT 10000 MATCH *nothing*here\r\n'],
  ['DBSIZE', 'DBSIZE\r\n'],
  ['MGET', `MGET${' big'.repeat(100)}\r\n`],
  ['GETRANGE', 'GETRANGE big 0 0\r\n'],
  ['commands that are refused', 'NOPE\r\n'],
] as const) {
  test(`pipelines of 100,000 ${what} that are never read`, async (t) => {
    const cache = await startCache(t, ['--memory', '2GiB']);
    await store(cache, 'big', 20_000_000);
    const filler = cache.open();
    let filled = 0;
    filler.on('data', (bytes: Buffer) => {
      filled += bytes.length;
    });
    const keys = 20_000;
    for (let i = 0; i < keys; i += 1_000) {
      const pairs = Array.from({ length: 1_000 }, (_, j) => [`key ${i + j}`, 'v']).flat();
      filler.write(words('MSET', ...pairs));
    }
    await until(() => filled === (keys / 1_000) * '+OK\r\n'.length);
    await cache.measure();
    for (let i = 0; i < 10; i++) cache.open(command.repeat(10_000)).pause();
    await checkOthers(cache);
    await checkPauses(cache);
  });
}

test('a transaction of thousands of commands that look through all keys', async (t) => {
  const cache = await startCache(t);
  const costly = words('KEYS', '*a*a*a*a*b');
  const pairs = Array.from({ length: 2_000 }, (_, j) => [`${'a'.repeat(60)}${j}`, 'v']).flat();
  assert.equal((await cache.ask(words('MSET', ...pairs))).reply, '+OK\r\n');
  await cache.measure();
  for (const count of [9_000, 8]) {
    cache.open(`${words('MULTI')}${costly.repeat(count)}${words('EXEC')}`).pause();
    await checkOthers(cache);
  }
  await checkPauses(cache);
});

test('bodies for LMCache’s coordinator and controller that are wrong a million times, or right', async (t) => {
  const [coordinator = 0, workers = 0, controller = 0] = await freePorts(3);
  const cache = await startCache(t, [
    ...['--coordinator-port', `${coordinator}`],
    ...['--controller-port', `${workers}`, '--controller-http-port', `${controller}`],
  ]);
  const million = (element: string) => `[${`${element},`.repeat(999_999)}${element}]`;
  const tokens = `"model_name":"m","token_ids":${million('1')}`;
  await cache.measure();
  for (const [port, path, body, expected] of [
    [coordinator, '/events', `{"batches":${million('{}')}}`, 422],
    [coordinator, '/directory/lookup', `{"keys":${million('{}')}}`, 422],
    [coordinator, '/directory/lookup', `{${tokens.replace('1]', '""]')}}`, 422],
    [coordinator, '/directory/lookup', `{${tokens}}`, 200],
    [coordinator, '/cache/pins', `{${tokens},"world_size":255}`, 422],
    [coordinator, `/quota/${'q'.repeat(7_000)}`, '{"limit_gb":1}', 400],
    [controller, '/lookup', `{"tokens":${million('{}')}}`, 422],
    [controller, '/lookup', `{"tokens":${million('1')}}`, 200],
  ] as const) {
    const response = await fetch(`http://127.0.0.1:${port}${path}`, { method: 'POST', body });
    assert.equal(response.status, expected, path.slice(0, 20));
    const { length } = await response.text();
    assert.ok(length < (expected === 200 ? 2 * MiB : 1_000), `${length} bytes`);
  }
  await checkPauses(cache);
});

test(`${clients} clients that never read, and as many that never end a value of the largest size`, async (t) => {
  const memoryMiB = 256;
  const cache = await startCache(t, ['--memory', `${memoryMiB}MiB`]);
  await store(cache, 'big', 64 * MiB);
  const boundMiB = (memoryMiB + overheadMiB) * 1.1;
  const before = rssMiB(cache);
  const sockets: Socket[] = [];
  const value = Buffer.alloc(128 << 10, 'w');
  const sizes = `$${memoryMiB * MiB}\r\n`;
  const echo = words('ECHO', 'e'.repeat(60_000)).repeat(80);
  const msets = `*60000\r\n${bulk('MSET')}${bulk('m'.repeat(60_000)).repeat(20)}`;
  for (let i = 0; i < clients; i++) {
    const hostile = [
      ['GET big\r\n'.repeat(50)],
      [`*3\r\n$3\r\nSET\r\n${bulk(`half ${i}`)}${sizes}`, value],
      [echo],
      [msets],
    ][i % 4] as (string | Buffer)[];
    const socket = cache.open().pause();
    for (const part of hostile) socket.write(part);
    sockets.push(socket);
    if (i % 100 === 99) {
      await once(socket, 'connect');
      assert.ok(rssMiB(cache) < boundMiB, `${rssMiB(cache).toFixed(0)} MiB`);
    }
  }
  let peak = 0;
  const endMs = performance.now() + 5_000;
  while (performance.now() < endMs) {
    peak = Math.max(peak, rssMiB(cache));
    await cache.ask('PING\r\n');
  }
  await checkOthers(cache, 1_000);
  for (const socket of sockets) socket.destroy();
  await until(async () => {
    const stats = (await (await fetch(`${cache.httpUrl}/stats`)).json()) as {
      readonly clientBytes: number;
      readonly connections: { readonly resp: number };
    };
    return stats.clientBytes === 0 && stats.connections.resp === 0;
  });
  await store(cache, 'after', 1_000_000);
  await new Promise((resolve) => setTimeout(resolve, 2_000));
  const after = rssMiB(cache);
  const told = [before, peak, after].map((mib) => mib.toFixed(0)).join(', ');
  t.diagnostic(`MiB before, during and after: ${told}; at most ${boundMiB.toFixed(0)}`);
  assert.ok(peak < boundMiB && after < boundMiB, told);
});

test('64 connections to the HTTP port that are silent or never read keep no probe out', async (t) => {
  const cache = await startCache(t);
  const port = Number(new URL(cache.httpUrl).port);
  for (let i = 0; i < 64; i++) {
    const socket = connect(port, '127.0.0.1').pause();
    socket.on('error', () => {});
    t.after(() => socket.destroy());
    socket.write(
      i % 2 === 0 ? 'GET /metr' : 'GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(5_000),
    );
  }
  for (let i = 0; i < 3; i++) {
    const signal = AbortSignal.timeout(waitMsMax);
    const health = await fetch(`${cache.httpUrl}/health`, { signal });
    assert.equal(health.status, 200);
  }
});
