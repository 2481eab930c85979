// Measures the cost of sharing attempts for a router (`--router-peers`): three routers before four
// engines in one C program (upstream.c), with the same rate at each router, alternating between
// sharing and not. A router that shares sends each request's updates to two others and receives
// those of two others. Needs cc.
//
//   node bench/router/peers.ts [--rate 200] [--seconds 10] [--repeats 3] [--port 9300] [--loads 0,1,3]
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { percentile } from '../../src/core/stats/index.ts';
import { parseRouterView } from '../../src/core/views/index.ts';
import { bodiesOf, type Load, loads } from './loads.ts';

const { values: flags } = parseArgs({
  options: {
    rate: { type: 'string', default: '200' },
    seconds: { type: 'string', default: '10' },
    repeats: { type: 'string', default: '3' },
    port: { type: 'string', default: '9300' },
    loads: { type: 'string', default: '0,1,3' },
  },
});
const rate = Number(flags.rate);
const seconds = Number(flags.seconds);
const port = Number(flags.port);
const chosen = flags.loads.split(',').map((i) => loads[Number(i)] as Load);
const routerPorts = [port, port + 1, port + 2];
const enginePorts = [port + 3, port + 4, port + 5, port + 6];
const routerUrls = routerPorts.map((at) => `http://127.0.0.1:${at}`);
const main = join(import.meta.dirname, '..', '..', 'src', 'cli', 'main.ts');
const clockTicksPerSecond = 100;
const warmupSeconds = 2;

interface Sample {
  readonly load: Load;
  readonly shared: boolean;
  /** One per router. */
  readonly micros: readonly number[];
  readonly failed: number;
  readonly rssMegabytes: number;
}

const agent = new Agent({ keepAlive: true });
const samples: Sample[] = [];
const folder = mkdtempSync(join(tmpdir(), 'spillway-peers-'));
const engines = startEngines();
try {
  for (let repeat = 0; repeat < Number(flags.repeats); repeat++) {
    // Alternating, so that neither always runs when the machine is busiest.
    for (const shared of repeat % 2 ? [true, false] : [false, true]) await measure(shared);
  }
  print();
} finally {
  engines.kill('SIGKILL');
  rmSync(folder, { recursive: true });
  agent.destroy();
}

async function measure(shared: boolean): Promise<void> {
  const routers = routerPorts.map((at) => startRouter(at, shared));
  try {
    await Promise.all(routerPorts.map((at) => untilReady(at, shared)));
    for (const load of chosen) {
      const bodies = bodiesOf(load);
      await play(bodies, warmupSeconds);
      const before = routers.map(cpuMicros);
      const { sent, failed } = await play(bodies, seconds);
      const micros = routers.map((router, i) => (cpuMicros(router) - (before[i] ?? 0)) / sent);
      const rssMegabytes = Math.max(...routers.map(rssOf));
      samples.push({ load, shared, micros, failed, rssMegabytes });
      console.error(`${load.name}, ${shared ? 'shared' : 'alone'}: ${micros.map(Math.round)} µs`);
    }
  } finally {
    for (const router of routers) {
      router.kill('SIGKILL');
      await once(router, 'exit');
    }
  }
}

/**
 * Sends requests to each router at a constant rate, whatever the responses are. @returns Requests
 * per router.
 */
async function play(bodies: readonly string[], forSeconds: number) {
  const startMs = performance.now();
  const answers: Promise<boolean>[] = [];
  let sent = 0;
  while (sent < rate * forSeconds) {
    const due = Math.min(rate * forSeconds, ((performance.now() - startMs) / 1000) * rate);
    for (; sent < due; sent++) {
      const body = bodies[sent % bodies.length] as string;
      for (const at of routerPorts) answers.push(send(at, '/v1/chat/completions', body));
    }
    await sleep(2);
  }
  const failed = (await Promise.all(answers)).filter((fine) => !fine).length;
  return { sent, failed };
}

function send(to: number, path: string, body: string): Promise<boolean> {
  return new Promise((resolve) => {
    const outgoing = request({
      ...{ host: '127.0.0.1', port: to, path, agent, method: 'POST' },
      headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) },
    });
    outgoing.on('response', (answer) => {
      answer.on('end', () => resolve(answer.statusCode === 200)).resume();
    });
    outgoing.on('error', () => resolve(false)).end(body);
  });
}

/** Waits until the router serves and, if it shares, is connected to the other two. */
async function untilReady(at: number, shared: boolean): Promise<void> {
  for (let attempt = 0; attempt < 100; attempt++) {
    await sleep(200);
    const answer = await fetch(`http://127.0.0.1:${at}/debug/router`).catch(() => undefined);
    if (answer === undefined) continue;
    const view = parseRouterView(await answer.text());
    const connected = view.routers?.peers.filter(({ state }) => state === 'connected').length ?? 0;
    if (view.engines.every(({ state }) => state === 'live') && connected === (shared ? 2 : 0))
      return;
  }
  throw new Error(`the router at port ${at} is not ready after 20 s`);
}

function startRouter(at: number, shared: boolean): ChildProcess {
  const urls = enginePorts.map((enginePort) => `http://127.0.0.1:${enginePort}`).join(',');
  const base = ['router', '--port', `${at}`, '--static-backends', urls, '--log-level', 'error'];
  const peers = shared ? ['--router-peers', routerUrls.join(',')] : [];
  return spawn(process.execPath, [main, ...base, ...peers], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
}

function startEngines(): ChildProcess {
  const binary = join(folder, 'upstream');
  execFileSync('cc', ['-O2', '-o', binary, join(import.meta.dirname, 'upstream.c')]);
  return spawn(binary, enginePorts.map(String), { stdio: 'ignore' });
}

/** User and system time of a process. */
function cpuMicros({ pid }: ChildProcess): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return ((Number(fields[11]) + Number(fields[12])) * 1e6) / clockTicksPerSecond;
}

function rssOf({ pid }: ChildProcess): number {
  const [, kilobytes] = /^VmHWM:\s*(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Number(kilobytes) / 1000;
}

function print(): void {
  const load = loadavg().map((x) => x.toFixed(1));
  console.log(`Load average ${load.join(', ')}; ${rate} requests/s to each router, ${seconds} s\n`);
  console.log('| load | alone, µs | sharing with two, µs | RSS MB, alone / sharing | failed |');
  console.log('|---|--:|--:|--:|--:|');
  for (const one of chosen) {
    const [alone, shared] = [false, true].map((x) =>
      samples.filter((sample) => sample.load === one && sample.shared === x),
    ) as [Sample[], Sample[]];
    const cpu = [alone, shared].map((own) => spread(own.flatMap(({ micros }) => micros)));
    const rss = [alone, shared].map((own) =>
      Math.max(...own.map((x) => x.rssMegabytes)).toFixed(0),
    );
    const failed = [...alone, ...shared].reduce((sum, sample) => sum + sample.failed, 0);
    const [name = ''] = one.name.split(', c');
    console.log(`| ${name} | ${cpu.join(' | ')} | ${rss.join(' / ')} | ${failed} |`);
  }
}

/** Median and range. */
function spread(values: readonly number[]): string {
  const sorted = values.toSorted((a, b) => a - b);
  const [low, middle, high] = [0, 50, 100].map((p) => percentile(sorted, p).toFixed(0));
  return `${middle} (${low}–${high})`;
}
