// Measures the cache server beside other servers and beside Node's sockets alone (`cache/floor.ts`), on one core each, with the same
// client on another core: bytes per second, and bytes per second of the server's CPU time, which other work on the machine changes little.
//
//   node bench/cache.ts [--redis PROGRAM] [--valkey PROGRAM] [--lmcache PROGRAM] [--rounds 3] [--seconds 1] [--clients 1,8,32]
//     [--sizes 262144,2097152] [--json]
//
// Valkey and LMCache's own server (`lmcache_server`) are left out unless their programs are named.
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs, promisify } from 'node:util';
import { freePorts } from '../src/io/processes/index.ts';

const run = promisify(execFile);
const { values: flags } = parseArgs({
  options: {
    redis: { type: 'string', default: 'redis-server' },
    valkey: { type: 'string' },
    lmcache: { type: 'string' },
    sizes: { type: 'string', default: [256 << 10, 2 << 20, 8 << 20, 32 << 20].join() },
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '1' },
    clients: { type: 'string', default: '1,8,32' },
    json: { type: 'boolean', default: false },
  },
});
const sizes = flags.sizes.split(',').map(Number);
const serverCore = '0';
const clientCore = '1';
const memory = 2 ** 31;

interface Measured {
  readonly megabytesPerSecond: number;
  /** Megabytes per second of the server's CPU time. */
  readonly perCpuSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

interface Subject {
  readonly name: string;
  readonly url: string;
  /** Of the server's process. */
  readonly pid: number;
}

const stops: (() => void)[] = [];
const main = join(import.meta.dirname, '../src/cli/main.ts');
const floorServer = join(import.meta.dirname, 'cache/floor.ts');

function pinned(program: string, args: readonly string[]): number {
  const child = spawn('taskset', ['-c', serverCore, program, ...args], { stdio: 'ignore' });
  stops.push(() => child.kill('SIGKILL'));
  return child.pid ?? 0;
}

/** CPU time that a process has used, all its threads; ticks are 10 ms. */
function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /s, '')
    .split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

async function subjects(): Promise<readonly Subject[]> {
  const [lm = 0, resp = 0, floor = 0, redis = 0, valkey = 0, lmcache = 0] = await freePorts(6);
  const own = pinned(process.execPath, [
    ...[main, 'cache', '--port', String(lm), '--resp-port', String(resp)],
    ...['--memory', String(memory)],
  ]);
  const peer = (program: string, port: number) =>
    pinned(program, [
      ...['--port', String(port), '--save', '', '--appendonly', 'no', '--bind', '127.0.0.1'],
      ...['--maxmemory', String(memory), '--maxmemory-policy', 'allkeys-lru'],
    ]);
  const at = (port: number) => `redis://127.0.0.1:${port}`;
  const floorPid = pinned(process.execPath, [floorServer, String(floor)]);
  const all: Subject[] = [
    { name: 'RESP', url: at(resp), pid: own },
    { name: 'lm://', url: `lm://127.0.0.1:${lm}`, pid: own },
    { name: 'Node', url: at(floor), pid: floorPid },
    { name: 'Redis', url: at(redis), pid: peer(flags.redis, redis) },
  ];
  if (flags.valkey !== undefined) {
    all.push({ name: 'Valkey', url: at(valkey), pid: peer(flags.valkey, valkey) });
  }
  if (flags.lmcache !== undefined) {
    const pid = pinned(flags.lmcache, ['127.0.0.1', String(lmcache), 'cpu']);
    all.push({ name: 'LMCache', url: `lm://127.0.0.1:${lmcache}`, pid });
  }
  await Promise.all(all.map(({ url }) => listening(Number(url.split(':').at(-1)))));
  return all;
}

/** LMCache's server takes seconds to import what it needs. */
async function listening(port: number): Promise<void> {
  for (let tries = 0; tries < 600; tries++) {
    const socket = connect(port, '127.0.0.1');
    const isOpen = await once(socket, 'connect').then(
      () => true,
      () => false,
    );
    socket.destroy();
    if (isOpen) return;
    await sleep(100);
  }
  throw new Error(`Nothing listens on port ${port} after 60 s.`);
}

/** A server compiles its code as it runs; each gets some seconds for it. */
async function warm({ url }: Subject): Promise<void> {
  const client = join(import.meta.dirname, 'cache/client.ts');
  for (const operation of ['put', 'get']) {
    const args = [client, url, operation, String(256 << 10), '8', '1.5'];
    await run('taskset', ['-c', clientCore, process.execPath, ...args]);
  }
}

async function measure({ url, pid }: Subject, operation: string, size: number, clients: string) {
  const client = join(import.meta.dirname, 'cache/client.ts');
  const before = cpuSeconds(pid);
  const { stdout } = await run('taskset', [
    ...['-c', clientCore, process.execPath, client, url, operation],
    ...[String(size), clients, flags.seconds],
  ]);
  const { bytes, ...times } = JSON.parse(stdout) as Omit<Measured, 'perCpuSecond'> & {
    bytes: number;
  };
  // Those of the values that are stored before loads are measured, too.
  return { ...times, perCpuSecond: bytes / (cpuSeconds(pid) - before) / 1e6 };
}

/** Copies of this size in memory, the upper bound of any server. */
function copies(size: number): number {
  const [from, to] = [Buffer.alloc(size, 1), Buffer.alloc(size)];
  const start = performance.now();
  let bytes = 0;
  while (performance.now() - start < 300) {
    from.copy(to);
    bytes += size;
  }
  return bytes / (performance.now() - start) / 1000;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}

const rows: object[] = [];
const out = (line: string) => flags.json || console.log(line);
try {
  const all = await subjects();
  for (const subject of all) await warm(subject);
  const names = all.map(({ name }) => name);
  const heads = ['value', 'clients', '', ...names.map((name) => `${name} per CPU second`)];
  const more = ['RESP / Redis (range)', 'RESP / Node', 'MB/s RESP', 'Redis', 'p50, p99 ms RESP'];
  out(`| ${[...heads, ...more, 'memcpy'].join(' | ')} |`);
  out(`|--:|--:|---|${'--:|'.repeat(names.length + more.length + 1)}`);
  for (const size of sizes) {
    const memcpy = copies(size);
    for (const clients of flags.clients.split(',')) {
      for (const operation of ['put', 'get']) {
        const found = new Map<string, Measured[]>(all.map(({ name }) => [name, []]));
        // In turns, so that what else the machine does hits all of them.
        for (let round = 0; round < Number(flags.rounds); round++) {
          for (const subject of all) {
            found.get(subject.name)?.push(await measure(subject, operation, size, clients));
          }
        }
        const of = (name: string, pick: (measured: Measured) => number) =>
          (found.get(name) ?? []).map(pick);
        const perCpu = (name: string) => of(name, ({ perCpuSecond }) => perCpuSecond);
        const ratiosTo = (name: string) => {
          const others = perCpu(name);
          return perCpu('RESP').map((own, i) => own / (others[i] ?? Number.NaN));
        };
        const ratios = ratiosTo('Redis');
        const [low, high] = [Math.min(...ratios), Math.max(...ratios)];
        rows.push({ size, clients, operation, memcpy, found: Object.fromEntries(found) });
        const sizeText = size >= 1 << 20 ? `${size >> 20} MiB` : `${size >> 10} KiB`;
        const rate = (name: string) => median(of(name, (one) => one.megabytesPerSecond));
        const ms = [median(of('RESP', (one) => one.p50Ms)), median(of('RESP', (one) => one.p99Ms))];
        const cells = [
          ...[sizeText, clients, operation, ...names.map((name) => median(perCpu(name)))],
          `${median(ratios).toFixed(2)} (${low.toFixed(2)} to ${high.toFixed(2)})`,
          ...[median(ratiosTo('Node')).toFixed(2), rate('RESP'), rate('Redis')],
          ...[ms.map((value) => value.toFixed(1)).join(', '), memcpy],
        ].map((cell) => (typeof cell === 'number' ? cell.toFixed(0) : cell));
        out(`| ${cells.join(' | ')} |`);
      }
    }
  }
  if (flags.json) {
    console.log(JSON.stringify({ node: process.version, cpu: cpus()[0]?.model, rows }));
  }
} finally {
  for (const stop of stops) stop();
}
