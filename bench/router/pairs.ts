// Compares the CPU of two versions of the router on a machine with other load: both run at once, and get
// batches of a few hundred requests by turns. A batch takes some 20 ms, so a pair of batches meets the same
// other load; and both start anew several times, because a process is compiled differently each time.
//
//   node bench/router/pairs.ts --against CLONE [--restarts 4] [--batches 50] [--requests 500]
//                              [--loads JSON,burst] [--policies predictive,roundrobin] [--traces 0.05]
//
// With --traces, the second router is the same version with traces on, of which it keeps that share; a collector in this
// process takes them. The whole cost is then printed too, because spans are sent between batches.
//
// Prints the CPU per request of each version, and the ratio within pairs (median of each start, their mean and
// range). Against an equal clone the ratio was 0.97 to 1.03 on a loaded machine. The routers have CPU 0, the client (drive.c) and
// the engines (upstream.c) CPU 1; all with priority, so that other programs interrupt them less. Needs cc,
// taskset and a user that may raise priorities.
import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { bodiesOf, type Load, loads } from './loads.ts';
import {
  buildBundle,
  buildProgram,
  chosen,
  directory,
  machine,
  processTree,
  root,
  startUpstream,
} from './setup.ts';

const { values: flags } = parseArgs({
  options: {
    against: { type: 'string' },
    restarts: { type: 'string', default: '4' },
    batches: { type: 'string', default: '50' },
    requests: { type: 'string', default: '500' },
    loads: { type: 'string', default: 'JSON,burst' },
    policies: { type: 'string', default: 'predictive,roundrobin' },
    traces: { type: 'string' },
  },
});
const against = flags.against ?? (flags.traces === undefined ? undefined : root);
if (against === undefined) throw new Error('--against names the clone to compare with');

const firstPort = 9_120;
const enginePorts = [9_101, 9_102, 9_103, 9_104];
/** Enough for V8 to optimize what the load runs. */
const warmUpBatches = 8;
const warmUpRequests = 5_000;

interface Version {
  readonly bundle: 'before' | 'dist';
  readonly port: number;
  readonly process: ChildProcess;
}

const children: ChildProcess[] = [];
process.on('exit', () => {
  for (const child of children) child.kill('SIGKILL');
});

buildBundle('dist');
buildBundle('before', against);
const collector = flags.traces === undefined ? '' : await startCollector();
const driver = buildProgram('drive');
children.push(startUpstream(enginePorts));
console.log(machine());
let ports = firstPort;
for (const policy of flags.policies.split(',')) {
  for (const load of loads.filter(({ name }) => chosen(name, flags.loads))) {
    const starts: Costs[] = [];
    for (let i = 0; i < Number(flags.restarts); i++) starts.push(await measure(policy, load));
    const before = mean(starts.map((costs) => median(costs.before)));
    const now = mean(starts.map((costs) => median(costs.dist)));
    const whole = mean(starts.map(({ whole }) => whole.dist / whole.before));
    const ratios = starts.map(({ before, dist }) =>
      median(dist.map((cost, i) => cost / (before[i] as number))),
    );
    const reads = (version: Version['bundle']): string =>
      starts.map((costs) => costs.reads[version].toFixed(1)).join(' ');
    console.log(
      `${policy}, ${load.name}: before ${before.toFixed(1)} µs, now ${now.toFixed(1)} µs; ` +
        `ratio ${mean(ratios).toFixed(3)} (${ratios.map((ratio) => ratio.toFixed(3)).join(' ')}), whole ${whole.toFixed(3)}, ` +
        `reads per request before ${reads('before')}, now ${reads('dist')}, load average ${loadavg()[0]?.toFixed(1)}`,
    );
  }
}
process.exit(0);

type Costs = Record<Version['bundle'], number[]> & {
  /**
   * Calls of `read` per request. A response that is sent in pieces arrives in as many reads as the router comes back for, so that
   * a faster router may read, and write, more often; compare costs of a burst at equal numbers.
   */
  readonly reads: Record<Version['bundle'], number>;
  /** From the first batch to the last, with what a router does between batches, in µs. */
  readonly whole: Record<Version['bundle'], number>;
};

/** CPU per request of each batch, in µs, by version. */
async function measure(policy: string, load: Load): Promise<Costs> {
  const versions = [startRouter('before', policy), startRouter('dist', policy)];
  const bodies = join(directory, `bodies-${load.mode}-${load.bodyBytes}.txt`);
  writeFileSync(bodies, `${bodiesOf(load).join('\n')}\n`);
  const client = prioritized(1, [driver, bodies], 'pipe');
  const answers = createInterface({ input: client.stdout as NodeJS.ReadableStream });
  const lines = answers[Symbol.asyncIterator]();
  const costOf = async ({ port, process: router, bundle }: Version, requests: number) => {
    const before = cpuMicroseconds(router.pid as number);
    client.stdin?.write(`${port} ${load.connections} ${requests}\n`);
    const { value } = await lines.next();
    if (value !== 'ok') throw new Error(`${bundle}: ${value ?? 'the client ended'}`);
    return (cpuMicroseconds(router.pid as number) - before) / requests;
  };
  for (const version of versions) await untilReady(version, load);
  for (let i = 0; i < warmUpBatches; i++) {
    for (const version of versions) await costOf(version, warmUpRequests);
  }
  const whole = { before: 0, dist: 0 };
  for (const { bundle, process: router } of versions) {
    whole[bundle] -= cpuMicroseconds(router.pid as number);
  }
  const reads = { before: 0, dist: 0 };
  const costs: Costs = { before: [], dist: [], reads, whole };
  for (const { bundle, process: router } of versions) reads[bundle] -= readsOf(router);
  for (let i = 0; i < Number(flags.batches); i++) {
    // By turns first and second.
    for (const version of i % 2 === 0 ? versions : versions.toReversed()) {
      costs[version.bundle].push(await costOf(version, Number(flags.requests)));
    }
  }
  for (const { bundle, process: router } of versions) {
    reads[bundle] += readsOf(router);
    reads[bundle] /= Number(flags.batches) * Number(flags.requests);
  }
  if (flags.traces !== undefined) await new Promise((resolve) => setTimeout(resolve, 1_500));
  for (const { bundle, process: router } of versions) {
    whole[bundle] += cpuMicroseconds(router.pid as number);
    router.kill('SIGKILL');
  }
  client.kill('SIGKILL');
  return costs;
}

function startRouter(bundle: Version['bundle'], policy: string): Version {
  const port = ports++;
  const engines = enginePorts.map((enginePort) => `http://127.0.0.1:${enginePort}`).join(',');
  const program = [process.execPath, join(directory, bundle, 'main.js'), 'router'];
  const args = ['--port', String(port), '--static-backends', engines, '--routing-logic', policy];
  if (bundle === 'dist' && flags.traces !== undefined) {
    args.push('--otel-endpoint', collector, '--otel-protocol', 'http/protobuf');
    args.push('--otel-sample-share', flags.traces);
  }
  const router = prioritized(0, [...program, ...args, '--log-level', 'warning'], 'ignore');
  return { bundle, port, process: router };
}

/** Takes spans and drops them. @returns Its URL. */
async function startCollector(): Promise<string> {
  const server = createServer((request, response) => {
    request.resume().on('end', () => response.end());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function prioritized(
  cpu: number,
  command: readonly string[],
  stdio: 'ignore' | 'pipe',
): ChildProcess {
  const args = ['-n', '-15', 'taskset', '-c', String(cpu), ...command];
  const child = spawn('nice', args, { stdio: [stdio, stdio, 'inherit'] });
  children.push(child);
  return child;
}

async function untilReady({ port, bundle }: Version, load: Load): Promise<void> {
  const body = bodiesOf({ ...load, prompts: 1 })[0] as string;
  const headers = { 'content-type': 'application/json' };
  for (let i = 0; i < 300; i++) {
    const url = `http://127.0.0.1:${port}/v1/chat/completions`;
    const response = await fetch(url, { method: 'POST', body, headers }).catch(() => undefined);
    await response?.arrayBuffer();
    if (response?.status === 200) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`${bundle} was not ready within 30 s`);
}

/** Time that the threads of a process and its descendants have run, in nanoseconds in the kernel. */
function cpuMicroseconds(pid: number): number {
  let nanoseconds = 0;
  for (const id of processTree(pid)) {
    for (const thread of readdirSync(`/proc/${id}/task`)) {
      const text = readFileSync(`/proc/${id}/task/${thread}/schedstat`, 'utf8');
      nanoseconds += Number(text.split(' ')[0]);
    }
  }
  return nanoseconds / 1000;
}

/** Calls of `read` by a process, those on sockets included. */
function readsOf({ pid }: ChildProcess): number {
  const text = readFileSync(`/proc/${pid}/io`, 'utf8');
  return Number(/^syscr: (\d+)$/m.exec(text)?.[1]);
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] as number;
}
