// Runs the cache server for minutes at one rate, with evictions and clients that come and go, and says whether its memory, its handles
// or the delay of its event loop grow. Exit status 1 if one does, or if a byte was wrong.
//
//   node bench/cache-soak.ts [--minutes 15] [--rate 200MiB] [--memory 512MiB] [--clients 8] [--url redis://HOST:PORT --http URL] [--json]
//
// The delay is that of a PING on a connection of its own. Half of the requests store, half load; each byte that comes back is compared.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { byteSize } from '../src/cli/arguments/quantities.ts';
import { trendOf } from '../src/core/capacity/index.ts';
import { openRespCommands, parseCacheUrl } from '../src/io/cache-client/index.ts';

const { values: flags } = parseArgs({
  options: {
    minutes: { type: 'string', default: '15' },
    rate: { type: 'string', default: '200MiB' },
    memory: { type: 'string', default: '512MiB' },
    clients: { type: 'string', default: '8' },
    json: { type: 'boolean', default: false },
  },
});
const bytes = byteSize({ min: 1 });
const memory = bytes(flags.memory);
const seconds = 60 * Number(flags.minutes);
/** Enough for a trend. */
const windowsCount = 24;
/** While memory fills and code is compiled. */
const warmupWindows = 4;
const significance = 0.01;

interface Window {
  readonly rssBytes: number;
  readonly handles: number;
  readonly pingP99Ms: number;
  readonly megabytesPerSecond: number;
}

const children: ChildProcess[] = [];
function started(args: readonly string[]): ChildProcess {
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  children.push(child);
  return child;
}

async function metrics(http: string) {
  const text = await (await fetch(`${http}/metrics`)).text();
  const sum = (name: string) =>
    [...text.matchAll(new RegExp(`^${name}(?:{.*})? (\\S+)$`, 'gm'))].reduce(
      (total, [, value]) => total + Number(value),
      0,
    );
  return {
    rssBytes: sum('process_resident_memory_bytes'),
    handles: sum('process_open_fds'),
    traffic: sum('spillway_cache_received_bytes_total') + sum('spillway_cache_sent_bytes_total'),
    evictions: sum('spillway_cache_evictions_total'),
    corrupt: sum('spillway_cache_corrupt_total'),
  };
}

async function main(): Promise<void> {
  const cli = join(import.meta.dirname, '../src/cli/main.ts');
  const ports = ['--port', '0', '--resp-port', '0', '--http-port', '0'];
  const server = started([cli, 'cache', ...ports, '--memory', String(memory)]);
  const [line] = (await once(createInterface({ input: server.stdout as never }), 'line')) as [
    string,
  ];
  const [, url = '', http = ''] = /(redis:\S+) (http:\S+)/.exec(line) ?? [];
  const load = started([
    ...[join(import.meta.dirname, 'cache/soak-load.ts'), url],
    ...[String(bytes(flags.rate)), String(seconds), flags.clients, String(2 * memory)],
  ]);
  let said = '';
  load.stdout?.on('data', (part: Buffer) => {
    said += part;
  });
  const ended = once(load, 'exit');
  const pinger = openRespCommands(parseCacheUrl(url, 'URL'), { timeoutMs: 60_000 });
  const windows: Window[] = [];
  let before = await metrics(http);
  for (let i = 0; i < windowsCount; i++) {
    const end = performance.now() + (1000 * seconds) / windowsCount;
    const start = performance.now();
    const delays: number[] = [];
    while (performance.now() < end) {
      const asked = performance.now();
      await pinger.ask(['PING'], 'x');
      delays.push(performance.now() - asked);
      await sleep(10);
    }
    const now = await metrics(http);
    delays.sort((a, b) => a - b);
    windows.push({
      rssBytes: now.rssBytes,
      handles: now.handles,
      pingP99Ms: delays[Math.floor(0.99 * (delays.length - 1))] ?? 0,
      megabytesPerSecond: (now.traffic - before.traffic) / 1e3 / (performance.now() - start),
    });
    before = now;
  }
  pinger.close();
  await ended;
  report(windows, JSON.parse(said), before);
}

function report(
  windows: readonly Window[],
  load: { requests: number; hits: number; wrong: number },
  last: { evictions: number; corrupt: number },
): void {
  const kept = windows.slice(warmupWindows);
  const trends = [
    { name: 'memory', values: kept.map(({ rssBytes }) => rssBytes / 2 ** 20), changeMax: 0.05 },
    { name: 'handles', values: kept.map(({ handles }) => handles), changeMax: 0.05 },
    // Other work on the machine moves it more than a leak would.
    { name: 'PING p99 ms', values: kept.map(({ pingP99Ms }) => pingP99Ms), changeMax: 0.5 },
  ].map(({ name, values, changeMax }) => {
    const trend = trendOf(values);
    const median = values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0;
    const change = ((trend?.slope ?? 0) * (values.length - 1)) / (median || 1);
    const isDrift = (trend?.p ?? 1) < significance / 3 && change > changeMax;
    return { name, min: Math.min(...values), median, max: Math.max(...values), change, isDrift };
  });
  const rate = kept.reduce((sum, one) => sum + one.megabytesPerSecond, 0) / kept.length;
  const isFlat = load.wrong === 0 && trends.every(({ isDrift }) => !isDrift);
  if (flags.json) console.log(JSON.stringify({ isFlat, rate, load, last, trends, windows }));
  else {
    console.log(
      `${flags.minutes} minutes, ${rate.toFixed(0)} MB/s, ${load.requests} requests, ${load.hits} hits, ${load.wrong} wrong values, ${last.evictions} evictions`,
    );
    for (const { name, min, median, max, change, isDrift } of trends) {
      const range = [min, median, max].map((value) => value.toFixed(1)).join(', ');
      console.log(
        `${name}: min, median, max ${range}; ${(100 * change).toFixed(1)} % over the run${isDrift ? ': GROWS' : ''}`,
      );
    }
    console.log(isFlat ? 'flat' : 'NOT FLAT');
  }
  if (!isFlat) process.exitCode = 1;
}

try {
  await main();
} finally {
  for (const child of children) child.kill();
}
