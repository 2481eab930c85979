// A cache server under faults, each from a hundred seeds: no wrong byte, no hang, and afterwards it serves as before.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Random, seededRandom } from '../../../src/core/base/index.ts';
import { type DiskFiles, diskFiles } from '../../../src/io/disk/index.ts';
import { freePorts } from '../../../src/io/processes/index.ts';
import { CacheClient, testCache } from '../../support/cache.ts';
import { bytesOfKey, sizeOfKey, writeUntilBroken } from '../../support/cache-load.ts';
import { cuttableLine } from '../../support/cuttable-line.ts';
import { type S3Fault, s3Server } from '../../support/s3-server.ts';
import { testSeed } from '../../support/seed.ts';
import { until } from '../../support/until.ts';
import { between, checkedLoad } from './checked-load.ts';

process.env['AWS_ACCESS_KEY_ID'] = 'access';
process.env['AWS_SECRET_ACCESS_KEY'] = 'secret';

const runs = Number(process.env['CACHE_FAULT_RUNS'] ?? 100);
const firstSeed = testSeed(`faults of the cache server, ${runs} runs each`);
/** Less than the values of a load have, so that most reads come from below. */
const memoryBytes = 1 << 20;

function faults(name: string, run: (t: TestContext, random: Random) => Promise<void>): void {
  test(`${name}: seeds ${firstSeed} to ${firstSeed + runs - 1}`, async (t) => {
    for (let seed = firstSeed; seed < firstSeed + runs; seed++) {
      const isRight = await t.test(`seed ${seed}`, (one) => run(one, seededRandom(seed)));
      assert.equal(isRight, undefined);
    }
  });
}

function newFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'spillway-faults-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

const pick = <T>(random: Random, choices: readonly T[]): T =>
  choices[between(random, 0, choices.length - 1)] as T;

faults('kill -9 under write load', async (t, random) => {
  const flags = ['--disk', newFolder(t), '--disk-size', '64MiB', '--memory', '4MiB'];
  const first = await startProcess(t, flags);
  const sizes = Array.from({ length: 5 }, () => between(random, 1, 300_000));
  const writers = ['a', 'b', 'c'].map((prefix) => writeUntilBroken(first.resp, prefix, sizes));
  await sleep(between(random, 20, 250));
  first.child.kill('SIGKILL');
  const confirmed = (await Promise.all(writers)).flat();
  const second = await startProcess(t, flags);
  const client = new CacheClient(t, { urls: [`redis://127.0.0.1:${second.resp}`] }, 'redis');
  for (const key of confirmed.slice(-60)) await rightOrMissing(client, key);
  await checkedLoad(t, second, random).works();
  second.child.kill('SIGKILL');
});

faults('torn and changed files', async (t, random) => {
  const disk = { folder: newFolder(t), bytesMax: 64 << 20 };
  const first = await testCache(t, { memoryBytes, disk });
  await checkedLoad(t, first, random).fill();
  await first.drain(60_000);
  for (const path of filesIn(disk.folder)) damage(path, random);
  const second = await testCache(t, { memoryBytes, disk });
  const load = checkedLoad(t, second, random);
  await load.readAll();
  await load.play(20);
  await load.works();
});

for (const code of ['ENOSPC', 'EROFS', 'EIO'] as const) {
  const name = { ENOSPC: 'full disk', EROFS: 'read-only disk', EIO: 'unreadable disk' }[code];
  faults(name, async (t, random) => {
    let isBroken = false;
    const files = failingFiles(code, () => isBroken && random.next() < 0.8);
    const disk = { folder: newFolder(t), bytesMax: 64 << 20, files };
    const server = await testCache(t, { memoryBytes, disk });
    const load = checkedLoad(t, server, random);
    await load.fill();
    isBroken = true;
    await load.play(30);
    await load.readAll();
    isBroken = false;
    await load.works();
  });
}

const s3Faults: Readonly<Record<string, readonly S3Fault[]>> = {
  'S3 down': ['unavailable'],
  'S3 slow': ['hang'],
  'S3 lying': ['changed', 'cut', 'longer', 'whole', 'short length', 'wrong tag'],
  'S3 down, slow and lying': ['unavailable', 'hang', 'changed', 'cut', 'wrong tag'],
};
for (const [name, kinds] of Object.entries(s3Faults)) {
  faults(name, async (t, random) => {
    const bucket = await s3Server(t);
    // Most values go in parts.
    const parts = { timeoutMs: 400, partBytes: between(random, 20_000, 100_000) };
    const s3 = { bucket: 'kv', prefix: '', endpoint: bucket.endpoint, ...parts };
    const server = await testCache(t, { memoryBytes, s3 });
    const load = checkedLoad(t, server, random);
    await load.fill();
    bucket.fault = () => (random.next() < 0.7 ? pick(random, kinds) : undefined);
    await load.play(8);
    bucket.fault = () => undefined;
    await load.works();
    await load.readAll();
    await server.drain(60_000);
    // An upload whose beginning was not replied to in time is found by a listing; those of this bucket are old.
    await testCache(t, { memoryBytes, s3 });
    await until(() => bucket.uploads.size === 0);
  });
}

faults('changed bytes in memory, on disk, in S3 and on another server', async (t, random) => {
  const bucket = await s3Server(t);
  const [port = 0, otherPort = 0] = await freePorts(2);
  const members = [`127.0.0.1:${port}`, `127.0.0.1:${otherPort}`];
  const peersOf = (i: number) => ({
    ...{ self: members[i] as string, members, copies: 1 },
    handOverBytesPerSecond: 1 << 30,
  });
  const disk = { folder: newFolder(t), bytesMax: 64 << 20 };
  const s3 = { bucket: 'kv', prefix: '', endpoint: bucket.endpoint };
  const other = await testCache(t, { memoryBytes, respPort: otherPort, peers: peersOf(1) });
  const server = await testCache(t, {
    ...{ memoryBytes, disk, s3, respPort: port, peers: peersOf(0) },
  });
  const load = checkedLoad(t, server, random);
  await load.fill();
  // Files that are being written have names of their own, which are gone a moment later.
  await until(() => server.diskStats?.waitingBytes === 0 && server.objectStats?.waitingBytes === 0);
  for (const { store } of [server, other]) {
    for (const key of store.keys()) {
      if (random.next() < 0.5) continue;
      const value = store.peek(key);
      const span = value?.spans[0];
      if (span !== undefined) flip(span, random);
      value?.release();
    }
  }
  for (const path of filesIn(disk.folder)) if (random.next() < 0.5) damage(path, random);
  for (const object of bucket.objects.values()) if (random.next() < 0.5) flip(object, random);
  await load.readAll();
  await load.play(20);
  await load.works();
});

faults('another server gone, and cut off', async (t, random) => {
  const [port = 0, otherPort = 0] = await freePorts(2);
  const line = await cuttableLine(`tcp://127.0.0.1:${otherPort}`);
  t.after(() => line.close());
  const members = [`127.0.0.1:${port}`, line.endpoint.replace('tcp://', '')];
  const peersOf = (i: number) => ({
    ...{ self: members[i] as string, members, copies: between(random, 1, 2) },
    handOverBytesPerSecond: 1 << 30,
  });
  const server = await testCache(t, { memoryBytes, respPort: port, peers: peersOf(0) });
  const other = await testCache(t, { memoryBytes, respPort: otherPort, peers: peersOf(1) });
  const load = checkedLoad(t, server, random);
  await load.play(10);
  line.cut();
  await load.play(10);
  line.mend();
  await load.play(10);
  await other.close();
  await load.play(10);
  await load.works();
});

faults('jumps of the wall clock', async (t, random) => {
  const wallClock = { seconds: Date.now() / 1000, nowSeconds: () => wallClock.seconds };
  const disk = { folder: newFolder(t), bytesMax: 64 << 20 };
  const server = await testCache(t, { memoryBytes, disk, wallClock });
  const load = checkedLoad(t, server, random);
  const client = new CacheClient(t, server, 'redis');
  for (let i = 0; i < 6; i++) {
    await load.play(5);
    const seconds = between(random, 1, 200_000);
    await client.says(`SET t${i} v${i} EX ${seconds}\r\n`, '+OK\r\n');
    wallClock.seconds += between(random, -172_800, 172_800);
    const reply = (await client.ask(`STRLEN t${i}\r\n`, 4)).toString('latin1');
    assert.ok([':2\r\n', ':0\r\n'].includes(reply), reply);
  }
  await load.works();
});

async function startProcess(t: TestContext, flags: readonly string[]) {
  const args = ['bin/spillway.mjs', 'cache', '--port', '0', '--resp-port', '0', ...flags];
  const child: ChildProcess = spawn(process.execPath, args, {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.after(() => child.kill('SIGKILL'));
  const [line] = (await once(createInterface({ input: child.stdout as never }), 'line')) as [
    string,
  ];
  const urls = line.split(' ').slice(1);
  const resp = Number(new URL(urls.find((url) => url.startsWith('redis:')) ?? '').port);
  return { child, urls, resp };
}

/** Reads a value of `writeUntilBroken`. */
async function rightOrMissing(client: CacheClient, key: string): Promise<void> {
  const size = sizeOfKey(key);
  const head = await client.ask(`GET ${key}\r\n`, 5);
  if (head.equals(Buffer.from('$-1\r\n'))) return;
  const expected = Buffer.concat([
    ...[Buffer.from(`$${size}\r\n`), bytesOfKey(key, size), Buffer.from('\r\n')],
  ]);
  const rest = await client.ask('', expected.length - 5);
  assert.ok(Buffer.concat([head, rest]).equals(expected), `wrong bytes in ${key}`);
}

function filesIn(folder: string): readonly string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((name) => join(folder, name))
    .filter((path) => statSync(path).isFile());
}

/** Cuts a file off, changes a byte, or overwrites a part, as a crash or a bad disk does. */
function damage(path: string, random: Random): void {
  const bytes = readFileSync(path);
  const at = between(random, 0, Math.max(0, bytes.length - 1));
  const kind = pick(random, ['cut', 'flip', 'zeros', 'longer', 'none'] as const);
  if (kind === 'cut') writeFileSync(path, bytes.subarray(0, at));
  else if (kind === 'zeros') {
    bytes.subarray(at, at + 4096).fill(0);
    writeFileSync(path, bytes);
  } else if (kind === 'longer') writeFileSync(path, Buffer.concat([bytes, bytes.subarray(at)]));
  else if (kind === 'flip') {
    flip(bytes, random);
    writeFileSync(path, bytes);
  }
}

function flip(bytes: Uint8Array, random: Random): void {
  if (bytes.length === 0) return;
  const at = between(random, 0, bytes.length - 1);
  bytes[at] = (bytes[at] as number) ^ (1 << between(random, 0, 7));
}

/** The machine's files, whose writes (reads, for EIO) fail when `fails` says so. */
function failingFiles(code: 'ENOSPC' | 'EROFS' | 'EIO', fails: () => boolean): DiskFiles {
  const check = () => {
    if (fails()) throw Object.assign(new Error(code), { code });
  };
  const writes = code !== 'EIO';
  return {
    ...diskFiles,
    async open(path, flags) {
      if (writes && flags === 'wx') check();
      const file = await diskFiles.open(path, flags);
      return {
        async read(buffer, offset, length, position) {
          if (!writes) check();
          return file.read(buffer, offset, length, position);
        },
        async readv(buffers, position) {
          if (!writes) check();
          return file.readv(buffers, position);
        },
        async writev(buffers, position) {
          if (writes) check();
          return file.writev(buffers, position);
        },
        stat: () => file.stat(),
        close: () => file.close(),
      };
    },
    async rename(from, to) {
      if (code === 'EROFS') check();
      await diskFiles.rename(from, to);
    },
    async unlink(path) {
      if (code === 'EROFS') check();
      await diskFiles.unlink(path);
    },
  };
}
