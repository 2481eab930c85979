// Measures what TLS on the listener costs the router: processor time per request, plain and over TLS, with connections that
// stay and with a new one for each request. Pairs alternate. The engine is scripted, in this process.
//
//   node bench/router/tls.ts [--requests 2000] [--repeats 5]
import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { request as requestTls, Agent as TlsAgent } from 'node:https';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { percentile } from '../../src/core/stats/index.ts';
import { startScriptedEngine } from '../../test/support/scripted-engine.ts';

const { values: flags } = parseArgs({
  options: {
    requests: { type: 'string', default: '2000' },
    repeats: { type: 'string', default: '5' },
  },
});
const requests = Number(flags.requests);
const root = join(import.meta.dirname, '..', '..');
const pem = (name: string) => join(root, 'test/support/tls', `${name}.pem`);
const clockTicksPerSecond = 100;
const body = `{"model":"m","messages":[{"role":"user","content":"${'Hello '.repeat(300)}"}]}`;

const engine = await startScriptedEngine();
/** Microseconds per request, by case. */
const samples = new Map<string, number[]>();
for (let repeat = 0; repeat < Number(flags.repeats); repeat++) {
  for (const isTls of repeat % 2 === 0 ? [false, true] : [true, false]) await measure(isTls);
}
await engine.close();
console.log(`Load average ${loadavg().map((one) => one.toFixed(1))}; ${requests} requests each\n`);
console.log('| connections | plain, µs | TLS, µs |\n|---|--:|--:|');
for (const kind of ['kept', 'new']) {
  console.log(`| ${kind} | ${spread(`${kind} false`)} | ${spread(`${kind} true`)} |`);
}

async function measure(isTls: boolean): Promise<void> {
  const tls = isTls ? ['--tls-cert', pem('server-cert'), '--tls-key', pem('server-key')] : [];
  const router = spawn(
    process.execPath,
    [
      ...[join(root, 'src/cli/main.ts'), 'router', '--port', '0', '--log-level', 'error'],
      ...['--static-backends', engine.url, '--static-models', 'm', ...tls],
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const url = await new Promise<string>((resolve) => {
    router.stdout?.on('data', (text) => resolve(String(text).trim().replace('router: ', '')));
  });
  const ca = readFileSync(pem('ca-cert'), 'utf8');
  const options = { keepAlive: true, maxSockets: 8 };
  const kept = isTls ? new TlsAgent({ ...options, ca }) : new Agent(options);
  await run(url, kept, ca, requests / 2);
  for (const kind of ['kept', 'new']) {
    const count = kind === 'kept' ? requests : requests / 4;
    const before = cpuMicros(router);
    await run(url, kind === 'kept' ? kept : undefined, ca, count);
    const key = `${kind} ${isTls}`;
    samples.set(key, [...(samples.get(key) ?? []), (cpuMicros(router) - before) / count]);
  }
  kept.destroy();
  router.kill('SIGKILL');
}

/** Sends requests, eight at a time. @param agent Undefined for a new connection each. */
async function run(
  url: string,
  agent: Agent | undefined,
  ca: string,
  count: number,
): Promise<void> {
  let left = count;
  const send = url.startsWith('https') ? requestTls : request;
  const one = () =>
    new Promise<void>((resolve, reject) => {
      const headers = { 'content-length': body.length };
      const sent = send(
        `${url}/v1/chat/completions`,
        { method: 'POST', headers, agent: agent ?? false, ca },
        (response) => response.resume().on('end', resolve),
      );
      sent.on('error', reject).end(body);
    });
  await Promise.all(
    Array.from({ length: 8 }, async () => {
      while (left-- > 0) await one();
    }),
  );
}

/** User and system time of a process. */
function cpuMicros({ pid }: ChildProcess): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return ((Number(fields[11]) + Number(fields[12])) * 1e6) / clockTicksPerSecond;
}

/** Median and range. */
function spread(key: string): string {
  const sorted = (samples.get(key) ?? []).toSorted((a, b) => a - b);
  const [low, middle, high] = [0, 50, 100].map((p) => percentile(sorted, p).toFixed(0));
  return `${middle} (${low}–${high})`;
}
