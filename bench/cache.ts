// Measures the cache server beside redis-server, on one core each, with the same client on another core: bytes per second, and bytes
// per second of the server's CPU time, which other work on the machine changes little.
//
//   node bench/cache.ts [--redis PROGRAM] [--rounds 3] [--seconds 1] [--clients 1,8,32] [--json]
import { execFile, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs, promisify } from 'node:util';
import { freePorts } from '../src/io/processes/index.ts';

const run = promisify(execFile);
const { values: flags } = parseArgs({
  options: {
    redis: { type: 'string', default: 'redis-server' },
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '1' },
    clients: { type: 'string', default: '1,8,32' },
    json: { type: 'boolean', default: false },
  },
});
const sizes = [256 << 10, 2 << 20, 8 << 20, 32 << 20];
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
  const [lm = 0, resp = 0, redis = 0] = await freePorts(3);
  const own = pinned(process.execPath, [
    ...[main, 'cache', '--port', String(lm), '--resp-port', String(resp)],
    ...['--memory', String(memory)],
  ]);
  const peer = pinned(flags.redis, [
    ...['--port', String(redis), '--save', '', '--appendonly', 'no', '--bind', '127.0.0.1'],
    ...['--maxmemory', String(memory), '--maxmemory-policy', 'allkeys-lru'],
  ]);
  await sleep(3000);
  return [
    { name: 'spillway, RESP', url: `redis://127.0.0.1:${resp}`, pid: own },
    { name: 'spillway, lm://', url: `lm://127.0.0.1:${lm}`, pid: own },
    { name: 'redis-server', url: `redis://127.0.0.1:${redis}`, pid: peer },
  ];
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
  out(
    '| value | clients | | MB/s: RESP | lm:// | redis | per CPU second: RESP | lm:// | redis | RESP / redis (range) | memcpy |',
  );
  out('|--:|--:|---|--:|--:|--:|--:|--:|--:|--:|--:|');
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
        const of = (name: string) => found.get(name) ?? [];
        const [ours, lm, redis] = all.map(({ name }) => of(name));
        const rate = (list: readonly Measured[] = []) =>
          median(list.map(({ megabytesPerSecond }) => megabytesPerSecond));
        const perCpu = (list: readonly Measured[] = []) =>
          median(list.map(({ perCpuSecond }) => perCpuSecond));
        const ratios = (ours ?? []).map(
          ({ perCpuSecond }, i) => perCpuSecond / (redis?.[i]?.perCpuSecond ?? Number.NaN),
        );
        const [low, high] = [Math.min(...ratios), Math.max(...ratios)];
        rows.push({ size, clients, operation, memcpy, found: Object.fromEntries(found) });
        const name = size >= 1 << 20 ? `${size >> 20} MiB` : `${size >> 10} KiB`;
        const cells = [
          ...[name, clients, operation, rate(ours), rate(lm), rate(redis)],
          ...[perCpu(ours), perCpu(lm), perCpu(redis)],
          ...[`${median(ratios).toFixed(2)} (${low.toFixed(2)} to ${high.toFixed(2)})`, memcpy],
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
