// `spillway cache --front`: clients keep their connections while the store restarts or crashes.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type TestContext, test } from 'node:test';
import { CacheClient as Client } from '../support/cache.ts';
import { until } from '../support/until.ts';

const main = join(import.meta.dirname, '../../src/cli/main.ts');
/** What LMCache waits for a reply, at most. */
const replyMsMax = 250;

interface Front {
  readonly urls: readonly string[];
  readonly child: ChildProcess;
  /** Lines of its log. */
  readonly log: string[];
}

async function startFront(t: TestContext, flags: readonly string[] = []): Promise<Front> {
  const ports = ['--port', '0', '--resp-port', '0'];
  const child = spawn(process.execPath, [main, 'cache', '--front', ...ports, ...flags], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, CACHE_PASSWORD: 'secret' },
  });
  t.after(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill();
    await once(child, 'exit');
  });
  const log: string[] = [];
  createInterface({ input: child.stderr }).on('line', (line) => log.push(line));
  const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
  return { urls: line.replace('ready: ', '').split(' '), child, log };
}

function diskFlags(t: TestContext): readonly string[] {
  const folder = mkdtempSync(join(tmpdir(), 'cache-front-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return ['--disk', folder, '--disk-size', '64MiB', '--read-timeout', '10s'];
}

const isServing = ({ log }: Front) => log.some((line) => line.includes('serves clients again'));

/** The process of the store. */
function storePid({ child }: Front): number {
  return Number(readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8').trim());
}

/** Loads a value over and over until the store is back. @returns The longest wait for a reply in ms, hits, and misses. */
async function loadUntilServing(front: Front, client: Client, key: string, body: Buffer) {
  const found = { longestMs: 0, hits: 0, misses: 0 };
  const load = async () => {
    const start = performance.now();
    const head = await client.askLm(2, key);
    found.longestMs = Math.max(found.longestMs, performance.now() - start);
    const status = head.readInt32LE(0);
    assert.ok(status === 200 || status === 400, `${status}`);
    if (status === 400) found.misses++;
    else {
      found.hits++;
      assert.ok((await client.ask('', body.length)).equals(body));
    }
  };
  while (!isServing(front)) await load();
  // The connection may come to the store a moment later.
  await until(async () => {
    const { hits } = found;
    await load();
    return found.hits > hits;
  });
  return found;
}

test('on SIGHUP the store restarts, and clients keep their connections, values and protocol', async (t) => {
  const front = await startFront(t, [...diskFlags(t), '--password-env', 'CACHE_PASSWORD']);
  const [lm, resp] = [new Client(t, front, 'lm'), new Client(t, front, 'redis')];
  const body = Buffer.alloc(300_000, 'kv');
  await lm.putLm('k', body);
  await resp.says('HELLO 3 AUTH default secret\r\n', '%7\r\n');
  await until(() => resp.received.includes('modules'));
  resp.received = Buffer.alloc(0);
  const before = storePid(front);
  front.child.kill('SIGHUP');
  const { longestMs, misses } = await loadUntilServing(front, lm, 'k', body);
  assert.ok(misses > 0, 'the front answers while there is no store');
  assert.ok(longestMs < replyMsMax, `${longestMs} ms`);
  assert.notEqual(storePid(front), before);
  await resp.says('GET nothing\r\n', '_\r\n');
  await resp.says('STRLEN k\r\n', `:${body.length}\r\n`);
  assert.equal(lm.isClosed || resp.isClosed, false);
});

test('an upload that has begun goes to the store that it was begun with', async (t) => {
  const front = await startFront(t, diskFlags(t));
  const [slow, other] = [new Client(t, front, 'lm'), new Client(t, front, 'lm')];
  const body = Buffer.alloc(500_000, 'slow');
  await other.putLm('a', Buffer.alloc(10));
  const put = Client.lmPut('k', body);
  slow.socket.write(put.subarray(0, 200_000));
  await until(() => slow.socket.bytesWritten >= 200_000);
  await other.askLm(3, 'a');
  front.child.kill('SIGHUP');
  await until(async () => (await other.askLm(3, 'a')).readInt32LE(0) === 400);
  assert.equal(isServing(front), false, 'the store waits for the rest');
  slow.socket.write(put.subarray(200_000));
  await until(() => isServing(front));
  await until(async () => (await slow.askLm(3, 'k')).readInt32LE(0) === 200);
  assert.equal(slow.isClosed, false);
});

test('a killed store is started again, and idle clients of lm:// notice misses only', async (t) => {
  const front = await startFront(t);
  const [idle, busy] = [new Client(t, front, 'lm'), new Client(t, front, 'lm')];
  await idle.putLm('k', Buffer.alloc(1000));
  busy.socket.write(Client.lmPut('half', Buffer.alloc(1000)).subarray(0, 500));
  await until(() => busy.socket.bytesWritten >= 500);
  assert.equal((await idle.askLm(3, 'k')).readInt32LE(0), 200);
  process.kill(storePid(front), 'SIGKILL');
  // Nobody knows how much of its request was read.
  await until(() => busy.isClosed);
  assert.equal((await idle.askLm(2, 'k')).readInt32LE(0), 400);
  await until(() => isServing(front));
  await until(async () => {
    await idle.putLm('k', Buffer.alloc(1000)).catch(() => {});
    return (await idle.askLm(3, 'k')).readInt32LE(0) === 200;
  });
  assert.equal(idle.isClosed, false);
});

test('clients that leave are forgotten, and SIGTERM ends front and store', async (t) => {
  const front = await startFront(t, ['--http-port', '0']);
  const http = front.urls.find((url) => url.startsWith('http:'));
  for (let i = 0; i < 3; i++) {
    const client = new Client(t, front, 'redis');
    await client.says('PING\r\n', '+PONG\r\n');
    client.socket.destroy();
  }
  await until(async () => (await respClients(http)) === 0);
  const sockets = () => socketsOf(front.child.pid ?? 0);
  const idle = sockets();
  const client = new Client(t, front, 'redis');
  await client.says('PING\r\n', '+PONG\r\n');
  assert.equal(sockets(), idle + 1);
  const store = storePid(front);
  front.child.kill();
  await once(front.child, 'exit');
  assert.equal(front.child.exitCode, 0);
  await until(() => client.isClosed);
  assert.throws(() => process.kill(store, 0), /ESRCH/);
});

async function respClients(http: string | undefined): Promise<number> {
  const stats = (await (await fetch(`${http}/stats`)).json()) as { connections: { resp: number } };
  return stats.connections.resp;
}

/** Sockets that a process has open. */
function socketsOf(pid: number): number {
  const folder = `/proc/${pid}/fd`;
  const links = readdirSync(folder).map((name) => readlinkSync(join(folder, name)));
  return links.filter((link) => link.startsWith('socket:')).length;
}

test('a store that cannot start ends the front with its status', async () => {
  const flags = ['--port', '0', '--resp-port', '0', '--disk', '/dev/null/x', '--disk-size', '1GiB'];
  const child = spawn(process.execPath, [main, 'cache', '--front', ...flags], { stdio: 'pipe' });
  let said = '';
  child.stderr.on('data', (bytes: Buffer) => {
    said += bytes;
  });
  const [code] = await once(child, 'exit');
  assert.equal(code, 2);
  assert.match(said, /--disk/);
});

test('the front knows the layout of its clients’ headers', async (t) => {
  const front = await startFront(t, ['--lm-layout', '158']);
  const client = new Client(t, front, 'lm');
  const exist = Buffer.concat([
    Buffer.from('0300000000000000', 'hex'),
    Buffer.from('k'.padEnd(150)),
  ]);
  const miss = '9001000000000000';
  assert.equal((await client.ask(exist, 8)).toString('hex'), miss);
  front.child.kill('SIGHUP');
  while (!isServing(front)) assert.equal((await client.ask(exist, 8)).toString('hex'), miss);
  assert.equal((await client.ask(exist, 8)).toString('hex'), miss);
});
