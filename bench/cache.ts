// Measures the cache server beside redis-server, on one core each, with the same client on another core.
//
//   node bench/cache.ts [--redis PROGRAM] [--rounds 3] [--seconds 1] [--clients 1,8,32] [--json]
import { execFile, spawn } from 'node:child_process';
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
  readonly p50Ms: number;
  readonly p99Ms: number;
}

interface Subject {
  readonly name: string;
  readonly url: string;
}

const stops: (() => void)[] = [];
const main = join(import.meta.dirname, '../src/cli/main.ts');

function pinned(program: string, args: readonly string[]): void {
  const child = spawn('taskset', ['-c', serverCore, program, ...args], { stdio: 'ignore' });
  stops.push(() => child.kill('SIGKILL'));
}

async function subjects(): Promise<readonly Subject[]> {
  const [lm = 0, resp = 0, redis = 0] = await freePorts(3);
  pinned(process.execPath, [
    ...[main, 'cache', '--port', String(lm), '--resp-port', String(resp)],
    ...['--memory', String(memory)],
  ]);
  pinned(flags.redis, [
    ...['--port', String(redis), '--save', '', '--appendonly', 'no', '--bind', '127.0.0.1'],
    ...['--maxmemory', String(memory), '--maxmemory-policy', 'allkeys-lru'],
  ]);
  await sleep(3000);
  return [
    { name: 'spillway, RESP', url: `redis://127.0.0.1:${resp}` },
    { name: 'spillway, lm://', url: `lm://127.0.0.1:${lm}` },
    { name: 'redis-server', url: `redis://127.0.0.1:${redis}` },
  ];
}

async function measure(url: string, operation: string, size: number, clients: string) {
  const client = join(import.meta.dirname, 'cache/client.ts');
  const { stdout } = await run('taskset', [
    ...['-c', clientCore, process.execPath, client, url, operation],
    ...[String(size), clients, flags.seconds],
  ]);
  return JSON.parse(stdout) as Measured;
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
    '| value | clients | | spillway, RESP MB/s | p99 / p50 | spillway, lm:// | redis-server | p99 / p50 | RESP / redis, median (range) | memcpy |',
  );
  out('|--:|--:|---|--:|--:|--:|--:|--:|--:|--:|');
  for (const size of sizes) {
    const memcpy = copies(size);
    for (const clients of flags.clients.split(',')) {
      for (const operation of ['put', 'get']) {
        const found = new Map<string, Measured[]>(all.map(({ name }) => [name, []]));
        // In turns, so that what else the machine does hits all of them.
        for (let round = 0; round < Number(flags.rounds); round++) {
          for (const { name, url } of all) {
            found.get(name)?.push(await measure(url, operation, size, clients));
          }
        }
        const of = (name: string) => found.get(name) ?? [];
        const [ours, lm, redis] = all.map(({ name }) => of(name));
        const rate = (list: readonly Measured[] = []) =>
          median(list.map(({ megabytesPerSecond }) => megabytesPerSecond));
        const tail = (list: readonly Measured[] = []) =>
          median(list.map(({ p50Ms, p99Ms }) => p99Ms / p50Ms)).toFixed(1);
        const ratios = (ours ?? []).map(
          ({ megabytesPerSecond }, i) =>
            megabytesPerSecond / (redis?.[i]?.megabytesPerSecond ?? Number.NaN),
        );
        const [low, high] = [Math.min(...ratios), Math.max(...ratios)];
        rows.push({ size, clients, operation, memcpy, found: Object.fromEntries(found) });
        out(
          `| ${size >= 1 << 20 ? `${size >> 20} MiB` : `${size >> 10} KiB`} | ${clients} | ${operation} | ${rate(ours).toFixed(0)} | ${tail(ours)} | ${rate(lm).toFixed(0)} | ${rate(redis).toFixed(0)} | ${tail(redis)} | ${median(ratios).toFixed(2)} (${low.toFixed(2)} to ${high.toFixed(2)}) | ${memcpy.toFixed(0)} |`,
        );
      }
    }
  }
  if (flags.json) {
    console.log(JSON.stringify({ node: process.version, cpu: cpus()[0]?.model, rows }));
  }
} finally {
  for (const stop of stops) stop();
}
