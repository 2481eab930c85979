// Measures the cost of a router: CPU per request of nginx, two Rust routers and Spillway, in one
// run.
//
//   node bench/router/run.ts [--seconds 4] [--repeats 3] [--loads json,burst] [--proxies spillway]
//                            [--peers DIRECTORY] [--against CLONE] [--out FILE.json]
//
// --against adds the Spillway of another clone, named "before", to the same rotation.
//
// The router under test has CPU 0 to itself; wrk and the engines (upstream.c) share CPU 1. Needs
// cc, taskset, wrk, nginx, and the Rust routers from `pip install vllm-router sglang-router`.
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { bodiesOf, type Load, loads } from './loads.ts';
import { type ComparedRouter, proxiesFor } from './proxies.ts';
import { buildBundle, chosen, directory, machine, processTree, startUpstream } from './setup.ts';
import { printTable, type Sample } from './table.ts';
import { verify } from './verify.ts';

const { values: flags } = parseArgs({
  options: {
    seconds: { type: 'string', default: '4' },
    repeats: { type: 'string', default: '3' },
    loads: { type: 'string', default: '' },
    proxies: { type: 'string', default: '' },
    peers: { type: 'string', default: join('.cache', 'router-peers', 'bin') },
    against: { type: 'string' },
    out: { type: 'string' },
  },
});

const port = 9100;
const upstreamPorts = [9101, 9102, 9103, 9104];
const upstreams = upstreamPorts.map((upstreamPort) => `http://127.0.0.1:${upstreamPort}`);
const clockTicksPerSecond = 100;

const execFileDone = promisify(execFile);

mkdirSync(directory, { recursive: true });
const chosenLoads = loads.filter(({ name }) => chosen(name, flags.loads));
const proxies = proxiesFor({
  port,
  upstreams,
  workDirectory: directory,
  peersBin: flags.peers,
  before: flags.against === undefined ? undefined : 'before',
}).filter(({ name }) => chosen(name, flags.proxies));
buildBundle('dist');
if (flags.against !== undefined) buildBundle('before', flags.against);
const upstream = startUpstream(upstreamPorts);
const samples: Sample[] = [];
try {
  for (let repeat = 0; repeat < Number(flags.repeats); repeat++) {
    // Rotated, so that no router always runs when the machine is warmest or busiest.
    const order = proxies.map((_, i) => proxies[(i + repeat) % proxies.length] as ComparedRouter);
    for (const proxy of order) await measureProxy(proxy, repeat);
  }
} finally {
  upstream.kill('SIGKILL');
}
printTable(samples, chosenLoads, machine());
if (flags.out)
  writeFileSync(flags.out, `${JSON.stringify({ machine: machine(), samples }, null, 1)}\n`);

async function measureProxy(proxy: ComparedRouter, repeat: number): Promise<void> {
  const [executable = '', ...args] = proxy.command;
  await untilPortIsFree();
  const child = spawn('taskset', ['-c', '0', executable, ...args], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, ...proxy.environment },
  });
  let errorOutput = '';
  child.stderr.setEncoding('utf8');
  child.stderr.on('data', (text: string) => {
    errorOutput = (errorOutput + text).slice(-2_000);
  });
  const mustRun = () => {
    if (child.exitCode === null && child.signalCode === null) return;
    const how = child.signalCode ?? `status ${child.exitCode}`;
    throw new Error(`${proxy.name} ended with ${how}: ${errorOutput || 'no message'}`);
  };
  try {
    await untilReady(proxy.name, mustRun);
    if (repeat === 0) await verify(`http://127.0.0.1:${port}`, upstreams[0] as string, chosenLoads);
    for (const load of chosenLoads) {
      await runWrk(load, 1);
      mustRun();
      const before = cpuTicks(child.pid as number);
      const result = await runWrk(load, Number(flags.seconds));
      mustRun();
      const ticks = cpuTicks(child.pid as number) - before;
      const sample: Sample = {
        proxy: proxy.name,
        load: load.name,
        cpuMicroseconds: (ticks * 1e6) / clockTicksPerSecond / result.requests,
        requestsPerSecond: result.requestsPerSecond,
        p50Ms: result.p50Ms,
        p99Ms: result.p99Ms,
        residentMb: residentMb(child.pid as number),
        errors: result.errors,
        loadAverage: loadavg()[0] ?? 0,
      };
      samples.push(sample);
      console.error(
        `${repeat + 1} ${proxy.name} | ${load.name}: ${sample.cpuMicroseconds.toFixed(0)} µs, ` +
          `${sample.requestsPerSecond.toFixed(0)}/s, p99 ${sample.p99Ms} ms, ` +
          `${sample.residentMb.toFixed(0)} MB, errors ${sample.errors}, load ${sample.loadAverage.toFixed(1)}`,
      );
    }
  } catch (error) {
    // If the router has died, that is the better explanation of the failure.
    mustRun();
    throw error;
  } finally {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
  }
}

interface WrkResult {
  readonly requests: number;
  readonly requestsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly errors: number;
}

/** Non-blocking, because only a running event loop notices that the router died. */
async function runWrk(load: Load, seconds: number): Promise<WrkResult> {
  const bodies = join(directory, `bodies-${load.mode}-${load.bodyBytes}.txt`);
  writeFileSync(bodies, `${bodiesOf(load).join('\n')}\n`);
  const { stdout } = await execFileDone(
    'taskset',
    [
      ...['-c', '1', 'wrk', '-t1', `-c${load.connections}`, `-d${seconds}s`, '--latency'],
      ...['--timeout', '20s', '-s', join(import.meta.dirname, 'load.lua')],
      ...[`http://127.0.0.1:${port}`, '--', bodies],
    ],
    { encoding: 'utf8', timeout: (seconds + 30) * 1000, killSignal: 'SIGKILL' },
  );
  const number = (pattern: RegExp) => Number(pattern.exec(stdout)?.[1] ?? Number.NaN);
  const socketErrors = /Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(
    stdout,
  );
  const errors =
    (number(/Non-2xx or 3xx responses: (\d+)/) || 0) +
    (socketErrors?.slice(1).reduce((sum, text) => sum + Number(text), 0) ?? 0);
  return {
    requests: number(/(\d+) requests in/),
    requestsPerSecond: number(/Requests\/sec:\s+([\d.]+)/),
    p50Ms: milliseconds(/50%\s+(\S+)/.exec(stdout)?.[1]),
    p99Ms: milliseconds(/99%\s+(\S+)/.exec(stdout)?.[1]),
    errors,
  };
}

function milliseconds(text = ''): number {
  const value = Number.parseFloat(text);
  if (text.endsWith('us')) return value / 1000;
  return text.endsWith('ms') ? value : value * 1000;
}

/** User and system time of a process and its descendants, in clock ticks. */
function cpuTicks(pid: number): number {
  return processTree(pid).reduce((sum, id) => {
    const stat = readFileSync(`/proc/${id}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return sum + Number(fields[11]) + Number(fields[12]);
  }, 0);
}

function residentMb(pid: number): number {
  return processTree(pid).reduce((sum, id) => {
    const status = readFileSync(`/proc/${id}/status`, 'utf8');
    return sum + Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024;
  }, 0);
}

/** A router that was killed may keep its port a little longer. */
async function untilPortIsFree(): Promise<void> {
  for (let i = 0; i < 100; i++) {
    const server = createServer();
    const listening = once(server, 'listening').then(
      () => true,
      () => false,
    );
    server.listen(port, '127.0.0.1');
    if (await listening) {
      server.close();
      await once(server, 'close');
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`Port ${port} was in use by another program for 10 s`);
}

async function untilReady(name: string, mustRun: () => void): Promise<void> {
  const body = bodiesOf({ ...(loads[0] as Load), prompts: 1 })[0] as string;
  for (let i = 0; i < 300; i++) {
    mustRun();
    const status = await fetch(`http://127.0.0.1:${port}/v1/chat/completions`, {
      method: 'POST',
      body,
      headers: { 'content-type': 'application/json' },
      signal: AbortSignal.timeout(2_000),
    }).then(
      async (response) => {
        await response.arrayBuffer();
        return response.status;
      },
      () => 0,
    );
    if (status === 200) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`${name} was not ready within 30 s`);
}
