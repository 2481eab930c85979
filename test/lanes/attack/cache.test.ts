// Hostile clients and tenants of the cache server, each with its bound; docs/guide/threat-model.md lists what they did before.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
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
interface Cache {
  readonly port: number;
  readonly httpUrl: string;
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
    ...{ port, httpUrl: `http://127.0.0.1:${http}`, open },
    measure: async () => {
      child.send('measure');
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
