// The cache server with a disk: values beyond memory, restarts, kills, and disks that hang.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type TestContext, test } from 'node:test';
import type { CacheServer } from '../../src/apps/cache/index.ts';
import { diskFiles } from '../../src/io/disk/index.ts';
import { CacheClient as Client, testCache } from '../support/cache.ts';
import { bytesOfKey, sizeOfKey, writeUntilBroken } from '../support/cache-load.ts';
import { until } from '../support/until.ts';

function folderFor(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'spillway-cache-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

const size = 1 << 20;
/** Memory for four values, and a disk for all; reads that take as long as they need. */
const small = (folder: string, disk = {}) => ({
  memoryBytes: 4 * size,
  disk: { folder, bytesMax: 64 << 20, ...disk },
  readTimeoutMs: 60_000,
});

async function store(server: CacheServer, client: Client, keys: readonly string[]): Promise<void> {
  for (const key of keys) {
    const value = bytesOfKey(key, size).toString('latin1');
    await client.says(
      `*3\r\n$3\r\nSET\r\n$${key.length}\r\n${key}\r\n$${size}\r\n${value}\r\n`,
      '+OK\r\n',
    );
    // What waits to be written holds memory.
    await until(() => server.diskStats?.waitingBytes === 0);
  }
}

async function holds(client: Client, key: string): Promise<void> {
  const head = `$${size}\r\n`;
  const reply = await client.ask(`GET ${key}\r\n`, head.length + size + 2);
  assert.equal(reply.subarray(0, head.length).toString(), head, key);
  assert.deepEqual(reply.subarray(head.length, -2), bytesOfKey(key, size), key);
}

const keys = Array.from({ length: 12 }, (_, i) => `key-${i}`);

test('values beyond the memory come from disk, over both protocols, in the order of requests', async (t) => {
  const server = await testCache(t, { ...small(folderFor(t)), httpPort: 0 });
  const resp = new Client(t, server, 'redis');
  await store(server, resp, keys);
  for (const key of keys) await holds(resp, key);
  await resp.says('DBSIZE\r\n', ':12\r\n');
  resp.socket.write(
    'PING\r\nGET key-0\r\nECHO x\r\nGETRANGE key-1 0 0\r\nMGET key-2 nothing\r\nPING\r\n',
  );
  const value = (key: string, end = size) =>
    bytesOfKey(key, size).subarray(0, end).toString('latin1');
  const replies = `+PONG\r\n$${size}\r\n${value('key-0')}\r\n$1\r\nx\r\n$1\r\n${value('key-1', 1)}\r\n*2\r\n$${size}\r\n${value('key-2')}\r\n$-1\r\n+PONG\r\n`;
  assert.equal((await resp.ask('', replies.length)).toString('latin1'), replies);
  const lm = new Client(t, server, 'lm');
  for (const key of keys) {
    await lm.putLm(`lm ${key}`, bytesOfKey(key, size));
    await until(() => server.diskStats?.waitingBytes === 0);
  }
  lm.socket.write(Buffer.concat(keys.map((key) => Client.lmHead(2, 0, `lm ${key}`))));
  for (const key of keys) {
    const reply = await lm.ask('', 36 + size);
    assert.deepEqual(
      [reply.readInt32LE(0), reply.readInt32LE(4), reply.readInt32LE(8)],
      [200, size, 1],
    );
    assert.deepEqual(reply.subarray(36), bytesOfKey(key, size));
  }
  const url = server.urls.find((address) => address.startsWith('http:'));
  const page = await (await fetch(`${url}/metrics`)).text();
  assert.match(page, /\nspillway_cache_disk_values 24\.0\n/);
  assert.match(page, /\nspillway_cache_disk_read_errors_total 0\.0\n/);
});

test('a restart keeps values and their times, not those that were deleted', async (t) => {
  const folder = folderFor(t);
  const first = await testCache(t, small(folder));
  const client = new Client(t, first, 'redis');
  await store(first, client, keys);
  await client.says('EXPIRE key-11 1000\r\n', ':1\r\n');
  await client.says('DEL key-3 key-10\r\n', ':2\r\n');
  await first.drain(60_000);
  const again = await testCache(t, small(folder));
  const reader = new Client(t, again, 'redis');
  await reader.says('DBSIZE\r\n', ':10\r\n');
  for (const key of keys) if (key !== 'key-3' && key !== 'key-10') await holds(reader, key);
  await reader.says('EXISTS key-3 key-10 key-11\r\n', ':1\r\n');
  const asking = new Client(t, again, 'redis');
  assert.match((await asking.ask('TTL key-11\r\n', 6)).toString(), /^:(?:1000|999)\r/);
  await reader.says('FLUSHALL\r\n', '+OK\r\n');
  await again.drain(60_000);
  const empty = await testCache(t, small(folder));
  await new Client(t, empty, 'redis').says('DBSIZE\r\n', ':0\r\n');
});

test('a disk that hangs costs misses; nobody waits for it longer than the bound', async (t) => {
  const hung: (() => void)[] = [];
  let isHanging = false;
  const files = {
    ...diskFiles,
    async open(path: string, flags: 'r' | 'wx') {
      if (isHanging) await new Promise<void>((resolve) => hung.push(resolve));
      return diskFiles.open(path, flags);
    },
  };
  const server = await testCache(t, { ...small(folderFor(t), { files }), readTimeoutMs: 20 });
  const client = new Client(t, server, 'redis');
  await store(server, client, keys);
  isHanging = true;
  const [lm, other] = [new Client(t, server, 'lm'), new Client(t, server, 'redis')];
  for (const key of ['key-0', 'key-1', 'key-2', 'key-3', 'key-4']) {
    await client.says(`GET ${key}\r\n`, '$-1\r\n');
    await other.says('PING\r\n', '+PONG\r\n');
  }
  await client.says('EXISTS key-5\r\n', ':1\r\n');
  // Writing goes on in memory, while the disk's queue fills up and drops.
  for (let i = 0; i < 8; i++) await lm.putLm(`new ${i}`, bytesOfKey('n', size));
  await client.says('GET key-0\r\n', '$-1\r\n');
  assert.ok((server.diskStats?.dropped ?? 0) > 0);
  isHanging = false;
  while (hung.length > 0) hung.shift()?.();
  await until(() => server.diskStats?.waitingBytes === 0);
  await until(async () => {
    client.socket.write('GET key-0\r\n');
    await until(() => client.received.includes('\r\n'));
    const isMiss = client.received.toString('latin1', 0, 3) === '$-1';
    await until(() => client.received.length >= (isMiss ? 5 : size + 12));
    client.received = Buffer.alloc(0);
    return !isMiss;
  });
});

test('after kill -9 under write load no byte is wrong, and what was written is there', async (t) => {
  const folder = folderFor(t);
  const args = ['bin/spillway.mjs', 'cache', '--port', '0', '--resp-port', '0', '--memory', '8MiB'];
  const disk = ['--disk', folder, '--disk-size', '64MiB', '--read-timeout', '60s'];
  const confirmed = new Set<string>();
  for (let round = 0; round < 3; round++) {
    const child = spawn(process.execPath, [...args, ...disk], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    t.after(() => child.kill('SIGKILL'));
    const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
    const port = Number(/redis:.*:(\d+)/.exec(line)?.[1]);
    const before = new Client(t, { urls: [`redis://127.0.0.1:${port}`] }, 'redis');
    let found = 0;
    for (const key of confirmed) {
      const head = `$${sizeOfKey(key)}\r\n`;
      before.socket.write(`GET ${key}\r\n`);
      await until(() => before.received.includes('\r\n'));
      if (before.received.toString('latin1', 0, 3) === '$-1') {
        await before.says('', '$-1\r\n');
        continue;
      }
      found++;
      const reply = await before.ask('', head.length + sizeOfKey(key) + 2);
      assert.equal(reply.subarray(0, head.length).toString(), head, key);
      assert.deepEqual(reply.subarray(head.length, -2), bytesOfKey(key, sizeOfKey(key)), key);
    }
    assert.ok(round === 0 || found > 5, `${found} of ${confirmed.size} values are there`);
    const writing = [0, 1].map((client) =>
      writeUntilBroken(port, `${round}-${client}`, [300_000, 70, 65_536]),
    );
    const wanted = new Client(t, { urls: [`redis://127.0.0.1:${port}`] }, 'redis');
    await until(async () => {
      const [, count = '0'] = /^:(\d+)/.exec((await wanted.ask('DBSIZE\r\n', 4)).toString()) ?? [];
      wanted.received = Buffer.alloc(0);
      return Number(count) >= 40 * (round + 1);
    });
    child.kill('SIGKILL');
    for (const keys of await Promise.all(writing)) for (const key of keys) confirmed.add(key);
  }
});

test('a second server on the folder is refused, also while the first one writes; after kill -9 it starts', async (t) => {
  const folder = folderFor(t);
  const start = () => {
    const ports = ['--port', '0', '--resp-port', '0', '--memory', '8MiB'];
    const args = ['bin/spillway.mjs', 'cache', ...ports, '--disk', folder, '--disk-size', '64MiB'];
    const child = spawn(process.execPath, args, { stdio: 'pipe' });
    t.after(() => child.kill('SIGKILL'));
    return child;
  };
  const portOf = async (child: ReturnType<typeof start>) => {
    const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
    return Number(/redis:.*:(\d+)/.exec(line)?.[1]);
  };
  const first = start();
  const writing = writeUntilBroken(await portOf(first), 'first', [300_000]);
  const second = start();
  let said = '';
  second.stderr.on('data', (text) => {
    said += text;
  });
  assert.deepEqual(await once(second, 'close'), [2, null]);
  assert.match(
    said.replace(/\s+/g, ' '),
    new RegExp(`is in use by process ${first.pid}: a folder`),
  );
  first.kill('SIGKILL');
  await writing;
  const third = start();
  assert.ok((await portOf(third)) > 0);
  third.kill();
  assert.deepEqual(await once(third, 'exit'), [0, null]);
  assert.equal(existsSync(join(folder, 'server.lock')), false);
});

test('a disk needs its size, and a folder that can be used', (t) => {
  const run =
    (...args: readonly string[]) =>
    () =>
      execFileSync(process.execPath, ['bin/spillway.mjs', 'cache', ...args], { stdio: 'pipe' });
  assert.throws(run('--disk', folderFor(t)), /--disk and --disk-size belong together/);
  assert.throws(
    run('--disk', '/dev/null', '--disk-size', '1GiB'),
    /--disk \/dev\/null cannot be used: ENOTDIR.*Name a folder/,
  );
});

test('the server has more threads for files than its disk tier uses, so that a disk that hangs leaves some for DNS', {
  skip: existsSync('/proc/self/task')
    ? false
    : 'threads are counted in /proc, which this system lacks',
}, async (t) => {
  const args = ['bin/spillway.mjs', 'cache', '--port', '0', '--resp-port', '0', '--memory', '8MiB'];
  const disk = ['--disk', folderFor(t), '--disk-size', '64MiB'];
  const usual = spawn(process.execPath, [...args, ...disk], {
    stdio: ['ignore', 'pipe', 'inherit'],
    // The pool of an unchanged Node, for comparison.
    env: { ...process.env, UV_THREADPOOL_SIZE: '4' },
  });
  const server = spawn(process.execPath, [...args, '--disk', folderFor(t), ...disk.slice(2)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const threads = await Promise.all(
    [usual, server].map(async (child) => {
      t.after(() => child.kill('SIGKILL'));
      await once(createInterface({ input: child.stdout }), 'line');
      return readdirSync(`/proc/${child.pid}/task`).length;
    }),
  );
  assert.equal((threads[1] ?? 0) - (threads[0] ?? 0), 12);
});
