// Measures what is beside the memory path of the cache server: GETs while stores evict others, the disk tier beside the disk alone, and
// S3 beside Amazon's SDK alone, each in turns with its peer.
//
//   node bench/cache-tiers.ts [--redis PROGRAM] [--s3 PROGRAM] [--rounds 3] [--seconds 2] [--folder FOLDER]
//
// The memory of a server is used once before: new memory costs as much as a read, and a server has it once. Disks are measured without the page cache: what is written is on the device when the time ends, and files are read from it.
//
// `--s3` is a server such as gofakes3, started with `-backend memory -initialbucket kvs -host HOST:PORT`; without it, S3 is left out.
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs, promisify } from 'node:util';
import { openCacheClient, parseCacheUrl } from '../src/io/cache-client/index.ts';
import { s3Objects } from '../src/io/object-store/index.ts';
import { freePorts } from '../src/io/processes/index.ts';

const { values: flags } = parseArgs({
  options: {
    redis: { type: 'string' },
    s3: { type: 'string' },
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '2' },
    folder: { type: 'string', default: tmpdir() },
  },
});
const rounds = Number(flags.rounds);
const valueBytes = 2 << 20;
const count = 96;
const megabytes = (count * valueBytes) / 1e6;
const value = new Uint8Array(valueBytes).fill(7);
const keys = Array.from(
  { length: count },
  (_, i) => `tiers@1@0@${i.toString(16).padStart(4, '0')}@uint8`,
);
/** Clients that store at once, and as many writers and readers as the tiers themselves use. */
const writers = 4;
const disk = { writers: 2, readers: 3 };
const s3 = { writers: 4, readers: 8 };

const execute = promisify(execFile);
const children: ChildProcess[] = [];
const folder = mkdtempSync(join(flags.folder, 'cache-tiers-'));

async function spillway(args: readonly string[]) {
  const main = join(import.meta.dirname, '../src/cli/main.ts');
  const ports = ['--port', '0', '--resp-port', '0', '--http-port', '0', '--read-timeout', '60s'];
  const child = spawn(process.execPath, [main, 'cache', ...ports, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(child);
  const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
  const [, url = '', http = ''] = /(redis:\S+) (http:\S+)/.exec(line) ?? [];
  return {
    url,
    stats: async () => (await (await fetch(`${http}/stats`)).json()) as Stats,
    async stop() {
      child.kill();
      await once(child, 'exit');
    },
  };
}

interface TierStats {
  readonly entries: number;
  readonly waitingBytes: number;
  readonly written: number;
  readonly read: number;
  readonly dropped: number;
}
interface Stats {
  readonly disk?: TierStats;
  readonly s3?: TierStats;
}

/** Runs `work` for all keys, `at` once. @returns Megabytes per second. */
async function rateOf(at: number, work: (key: string, turn: number) => Promise<unknown>) {
  const start = performance.now();
  let next = 0;
  const worker = async (turn: number) => {
    for (let i = next++; i < keys.length; i = next++) await work(keys[i] as string, turn);
  };
  await Promise.all(Array.from({ length: at }, (_, turn) => worker(turn)));
  return (1000 * megabytes) / (performance.now() - start);
}

/** Deletes all values of a server; their memory is used next. */
async function flush(url: string): Promise<void> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  socket.write('FLUSHALL\r\n');
  await once(socket, 'data');
  socket.destroy();
}

/** Waits until all files of a folder are on the device. */
async function synced(path: string): Promise<void> {
  await execute('sync', ['-f', path]);
}

/** Takes the files of a folder out of the page cache. */
async function uncached(path: string): Promise<void> {
  await synced(path);
  for (const entry of readdirSync(path, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const file = join(entry.parentPath, entry.name);
    await execute('dd', [`if=${file}`, 'iflag=nocache', 'count=0', 'status=none']);
  }
}

const client = (url: string) => openCacheClient(parseCacheUrl(url, 'URL'), { timeoutMs: 120_000 });

/** Rates of a tier: from the first PUT until all is written, and of GETs by a server that has nothing in memory. */
async function tierRates(
  which: 'disk' | 's3',
  args: readonly string[],
  readers: number,
  path?: string,
) {
  const first = await spillway([...args, '--memory', '1GiB']);
  const storing = Array.from({ length: writers }, () => client(first.url));
  const store = async (before: number) => {
    await rateOf(writers, (key, turn) => storing[turn]?.put(key, value) ?? Promise.resolve());
    for (;;) {
      const { [which]: tier } = await first.stats();
      if (tier !== undefined && tier.dropped > 0)
        throw new Error(`${tier.dropped} values were dropped`);
      if (tier?.written === before + count) break;
      await sleep(10);
    }
  };
  await store(0);
  await flush(first.url);
  // The files are removed in the background.
  await sleep(1000);
  const start = performance.now();
  await store(count);
  if (path !== undefined) await synced(path);
  const put = (1000 * megabytes) / (performance.now() - start);
  for (const one of storing) one.close();
  await first.stop();
  if (path !== undefined) await uncached(path);
  // Two thirds of the values fit, so that a second round finds none of those that it asks for in memory.
  const second = await spillway([...args, '--memory', '128MiB']);
  while (((await second.stats())[which]?.entries ?? 0) < count) await sleep(10);
  const loading = Array.from({ length: readers }, () => client(second.url));
  const load = () =>
    rateOf(readers, async (key, turn) => {
      if ((await loading[turn]?.get(key, () => {})) !== valueBytes)
        throw new Error(`${key} is missing`);
    });
  await load();
  if (path !== undefined) await uncached(path);
  const get = await load();
  const { [which]: read } = await second.stats();
  if (read?.read !== 2 * count) throw new Error(`${read?.read} of ${2 * count} values were read`);
  for (const one of loading) one.close();
  await second.stop();
  return { put, get };
}

async function diskAlone() {
  const alone = join(folder, 'alone');
  rmSync(alone, { recursive: true, force: true });
  mkdirSync(alone);
  const path = (key: string) => join(alone, key);
  const start = performance.now();
  await rateOf(disk.writers, (key) => writeFile(path(key), value));
  await synced(alone);
  const put = (1000 * megabytes) / (performance.now() - start);
  await uncached(alone);
  const get = await rateOf(disk.readers, (key) => readFile(path(key)));
  return { put, get };
}

async function sdkAlone(endpoint: string) {
  const objects = await s3Objects({ bucket: 'kvs', endpoint });
  const put = await rateOf(s3.writers, (key) => objects.put(`alone/${key}`, value, 60_000));
  const get = await rateOf(s3.readers, (key) => objects.get(`alone/${key}`, () => {}, 60_000));
  objects.close();
  return { put, get };
}

/** Waits of GETs while another process stores twice what fits. @returns Milliseconds. */
async function underEviction(url: string) {
  const load = join(import.meta.dirname, 'cache/client.ts');
  const seconds = Number(flags.seconds);
  const args = [load, url, 'put', String(valueBytes), '4', String(seconds + 2)];
  const storing = spawn(process.execPath, args, { stdio: 'ignore' });
  children.push(storing);
  const ended = once(storing, 'exit');
  await sleep(1500);
  const waits: number[] = [];
  const end = performance.now() + 1000 * seconds;
  const getter = client(url);
  const hex = valueBytes.toString(16);
  for (let i = 0; performance.now() < end; i++) {
    const start = performance.now();
    const size = await getter.get(
      `bench@1@0@${hex}${(i % 256).toString(16).padStart(4, '0')}@uint8`,
      () => {},
    );
    if (size !== undefined) waits.push(performance.now() - start);
  }
  getter.close();
  await ended;
  waits.sort((a, b) => a - b);
  const at = (share: number) => waits[Math.floor(share * (waits.length - 1))] ?? Number.NaN;
  return { p50: at(0.5), p99: at(0.99) };
}

async function listening(port: number): Promise<void> {
  for (let tries = 0; tries < 100; tries++) {
    const socket = connect(port, '127.0.0.1');
    const isOpen = await once(socket, 'connect').then(
      () => true,
      () => false,
    );
    socket.destroy();
    if (isOpen) return;
    await sleep(100);
  }
  throw new Error(`Nothing listens on port ${port} after 10 s.`);
}

const medianOf = (values: readonly number[]) =>
  values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;

async function compareRates(
  name: string,
  own: (round: number) => Promise<{ put: number; get: number }>,
  alone: () => Promise<{ put: number; get: number }>,
): Promise<void> {
  const found: { own: { put: number; get: number }; alone: { put: number; get: number } }[] = [];
  for (let round = 0; round < rounds; round++)
    found.push({ own: await own(round), alone: await alone() });
  for (const operation of ['put', 'get'] as const) {
    const ratios = found.map(({ own, alone }) => own[operation] / alone[operation]);
    const cells = [
      ...[name, operation, medianOf(found.map(({ own }) => own[operation])).toFixed(0)],
      medianOf(found.map(({ alone }) => alone[operation])).toFixed(0),
      `${medianOf(ratios).toFixed(2)} (${Math.min(...ratios).toFixed(2)} to ${Math.max(...ratios).toFixed(2)})`,
    ];
    console.log(`| ${cells.join(' | ')} |`);
  }
}

async function main(): Promise<void> {
  const own = await spillway(['--memory', '256MiB']);
  const urls = [{ name: 'spillway', url: own.url }];
  if (flags.redis !== undefined) {
    const [port = 0] = await freePorts(1);
    const limits = ['--maxmemory', '256mb', '--maxmemory-policy', 'allkeys-lru', '--save', ''];
    children.push(
      spawn(flags.redis, ['--port', `${port}`, '--bind', '127.0.0.1', ...limits], {
        stdio: 'ignore',
      }),
    );
    await listening(port);
    urls.push({ name: 'Redis', url: `redis://127.0.0.1:${port}` });
  }
  console.log(
    '| GETs of 2 MiB under eviction | p50 ms | p99 ms | p99 / p50 (range) |\n|---|--:|--:|--:|',
  );
  const waits = urls.map(({ name, url }) => ({
    name,
    url,
    found: [] as { p50: number; p99: number }[],
  }));
  for (let round = 0; round < rounds; round++) {
    for (const { url, found } of waits) found.push(await underEviction(url));
  }
  for (const { name, found } of waits) {
    const ratios = found.map(({ p50, p99 }) => p99 / p50);
    const cells = [
      name,
      medianOf(found.map(({ p50 }) => p50)).toFixed(1),
      medianOf(found.map(({ p99 }) => p99)).toFixed(1),
    ];
    console.log(
      `| ${cells.join(' | ')} | ${medianOf(ratios).toFixed(1)} (${Math.min(...ratios).toFixed(1)} to ${Math.max(...ratios).toFixed(1)}) |`,
    );
  }
  await own.stop();
  console.log(
    '\n| 2 MiB values, MB/s | | through the server | alone | ratio (range) |\n|---|---|--:|--:|--:|',
  );
  await compareRates(
    'disk',
    (round) =>
      tierRates(
        'disk',
        ['--disk', join(folder, `tier-${round}`), '--disk-size', '1GiB'],
        disk.readers,
        join(folder, `tier-${round}`),
      ),
    diskAlone,
  );
  if (flags.s3 === undefined) return;
  const [port = 0] = await freePorts(1);
  const args = ['-backend', 'memory', '-initialbucket', 'kvs', '-host', `127.0.0.1:${port}`];
  children.push(spawn(flags.s3, args, { stdio: 'ignore' }));
  await listening(port);
  const endpoint = `http://127.0.0.1:${port}`;
  await compareRates(
    'S3',
    (round) =>
      tierRates('s3', ['--s3', `s3://kvs/round-${round}`, '--s3-endpoint', endpoint], s3.readers),
    () => sdkAlone(endpoint),
  );
}

process.env['AWS_ACCESS_KEY_ID'] ??= 'bench';
process.env['AWS_SECRET_ACCESS_KEY'] ??= 'bench';
try {
  await main();
} finally {
  for (const child of children) child.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
}
