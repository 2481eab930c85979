// Measures a router without clients in front of many engines: its share of a core, the longest pause of
// its event loop, and its /metrics page.
//
//   node bench/idle.ts [--engines 1000] [--seconds 30] [--against CLONE] [--policy predictive] [--json]
//
// The engines are scripted and share one process; each has an address of its own and vLLM's metrics. With
// --against, the router of another clone is measured before this one.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { request } from 'node:http';
import { type AddressInfo, createServer } from 'node:net';
import { availableParallelism, cpus, loadavg } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { gunzipSync } from 'node:zlib';
import type { PausesMessage } from './idle/message.ts';

const { values: flags } = parseArgs({
  options: {
    engines: { type: 'string', default: '1000' },
    seconds: { type: 'string', default: '30' },
    against: { type: 'string' },
    policy: { type: 'string', default: 'predictive' },
    json: { type: 'boolean', default: false },
  },
});
const engineCount = Number(flags.engines);
const seconds = Number(flags.seconds);
const root = join(import.meta.dirname, '..');
/** From `getconf CLK_TCK`, which is 100 on Linux. */
const ticksPerSecond = 100;
const pages = 10;

interface Measured {
  readonly clone: string;
  /** Share of one core, all threads. */
  readonly idleShare: number;
  readonly idlePauses: PausesMessage;
  /** While /metrics was read. */
  readonly pagePauses: PausesMessage;
  readonly page: PageFigures;
  readonly gzipPage: PageFigures;
  readonly rssMegabytes: number;
  readonly load: number;
}

interface PageFigures {
  readonly bytes: number;
  /** Medians over the reads. */
  readonly firstByteMs: number;
  readonly totalMs: number;
  readonly cpuMs: number;
}

const engines = spawn(
  process.execPath,
  [
    join(root, 'bench/idle/engines.ts'),
    join(root, 'test/integration/fixtures/metrics-offload-after.txt'),
  ],
  { stdio: ['ignore', 'pipe', 'inherit'] },
);
try {
  const [line] = await once(createInterface({ input: engines.stdout }), 'line');
  const urls = Array.from(
    { length: engineCount },
    (_, i) => `http://127.0.${1 + Math.floor(i / 250)}.${1 + (i % 250)}:${line}`,
  );
  const clones = flags.against === undefined ? [root] : [flags.against, root];
  const results: Measured[] = [];
  for (const clone of clones) results.push(await measure(clone, urls));
  if (flags.json) console.log(JSON.stringify({ engines: engineCount, seconds, results }));
  else print(results);
} finally {
  engines.kill('SIGKILL');
}

async function measure(clone: string, urls: readonly string[]): Promise<Measured> {
  const port = await freePort();
  const router = spawn(
    process.execPath,
    [
      ...['--import', join(root, 'bench/idle/pauses.ts'), join(clone, 'src/cli/main.ts'), 'router'],
      ...['--port', `${port}`, '--static-backends', urls.join(','), '--log-level', 'error'],
      ...['--routing-logic', flags.policy, '--no-kv-events'],
    ],
    { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] },
  );
  try {
    await untilAllLive(port, urls.length);
    // The first checks, scrapes and optimisations of the code are over.
    await sleep(10_000);
    const before = cpuSeconds(router);
    await sleep(seconds * 1000);
    const idleShare = (cpuSeconds(router) - before) / seconds;
    const idlePauses = await pausesWhile(router, () => sleep(seconds * 1000));
    let page: PageFigures | undefined;
    let gzipPage: PageFigures | undefined;
    const pagePauses = await pausesWhile(router, async () => {
      page = await readPages(router, port, false);
      gzipPage = await readPages(router, port, true);
    });
    return {
      ...{ clone, idleShare, idlePauses, pagePauses },
      ...{ page: page as unknown as PageFigures, gzipPage: gzipPage as unknown as PageFigures },
      rssMegabytes: Number(/VmRSS:\s+(\d+)/.exec(read(router, 'status'))?.[1]) / 1024,
      load: loadavg()[0] ?? Number.NaN,
    };
  } finally {
    router.kill('SIGKILL');
  }
}

async function pausesWhile(
  router: ChildProcess,
  act: () => Promise<unknown>,
): Promise<PausesMessage> {
  router.kill('SIGUSR2');
  await act();
  const message = once(router, 'message');
  router.kill('SIGUSR2');
  return (await message)[0] as PausesMessage;
}

async function readPages(
  router: ChildProcess,
  port: number,
  isGzip: boolean,
): Promise<PageFigures> {
  const before = cpuSeconds(router);
  const reads: { bytes: number; firstByteMs: number; totalMs: number }[] = [];
  for (let i = 0; i < pages; i++) {
    reads.push(await readPage(port, isGzip));
    await sleep(200);
  }
  // With the checks of engines meanwhile.
  const cpuMs = ((cpuSeconds(router) - before) / pages) * 1000;
  const median = (key: 'bytes' | 'firstByteMs' | 'totalMs') =>
    reads.map((one) => one[key]).sort((a, b) => a - b)[Math.floor(pages / 2)] as number;
  return {
    ...{ bytes: median('bytes'), firstByteMs: median('firstByteMs') },
    ...{ totalMs: median('totalMs'), cpuMs },
  };
}

function readPage(port: number, isGzip: boolean) {
  return new Promise<{ bytes: number; firstByteMs: number; totalMs: number }>((resolve, reject) => {
    const began = performance.now();
    const headers = isGzip ? { 'Accept-Encoding': 'gzip' } : {};
    request({ host: '127.0.0.1', port, path: '/metrics', headers }, (response) => {
      const parts: Buffer[] = [];
      let firstByteMs = 0;
      response.on('data', (part: Buffer) => {
        firstByteMs ||= performance.now() - began;
        parts.push(part);
      });
      response.on('end', () => {
        const body = Buffer.concat(parts);
        const totalMs = performance.now() - began;
        const text = response.headers['content-encoding'] === 'gzip' ? gunzipSync(body) : body;
        const lines = text.toString().split('\n');
        if (!lines.some((line) => line.startsWith('vllm:healthy_pods_total{'))) {
          reject(new Error('the page lacks its gauges'));
        }
        resolve({ bytes: body.length, firstByteMs, totalMs });
      });
    })
      .on('error', reject)
      .end();
  });
}

async function untilAllLive(port: number, count: number): Promise<void> {
  for (let attempt = 0; attempt < 300; attempt++) {
    const answer = await fetch(`http://127.0.0.1:${port}/engines`).catch(() => undefined);
    const views = ((await answer?.json()) ?? []) as { state: string; reported: unknown }[];
    const ready = views.filter(({ state, reported }) => state === 'live' && reported !== null);
    if (ready.length === count) return;
    await sleep(200);
  }
  throw new Error('the engines did not become live');
}

function cpuSeconds(router: ChildProcess): number {
  // The fields after the name in parentheses: state is the first, utime and stime the 12th and 13th.
  const fields = read(router, 'stat')
    .replace(/^.*\) /s, '')
    .split(' ');
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
}

function read(router: ChildProcess, file: string): string {
  return readFileSync(`/proc/${router.pid}/${file}`, 'utf8');
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

function print(results: readonly Measured[]): void {
  const [{ model = 'unknown' } = {}] = cpus();
  console.log(
    `${engineCount} engines, ${flags.policy}, Node ${process.version}, ${availableParallelism()} × ${model}\n`,
  );
  const rows: readonly (readonly [string, (one: Measured) => string])[] = [
    ['CPU, share of one core', (one) => `${(one.idleShare * 100).toFixed(1)} %`],
    ['longest pause, idle', (one) => `${one.idlePauses.longestMs.toFixed(1)} ms`],
    ['most CPU in 5 ms steps, idle', (one) => `${one.idlePauses.mostCpuMs.toFixed(1)} ms`],
    ['longest pause, with /metrics', (one) => `${one.pagePauses.longestMs.toFixed(1)} ms`],
    ['most CPU, with /metrics', (one) => `${one.pagePauses.mostCpuMs.toFixed(1)} ms`],
    ['/metrics, bytes', (one) => `${one.page.bytes}`],
    ['/metrics, first byte', (one) => `${one.page.firstByteMs.toFixed(1)} ms`],
    ['/metrics, total', (one) => `${one.page.totalMs.toFixed(1)} ms`],
    ['/metrics, CPU', (one) => `${one.page.cpuMs.toFixed(1)} ms`],
    ['/metrics asked for gzip, bytes', (one) => `${one.gzipPage.bytes}`],
    ['/metrics asked for gzip, total', (one) => `${one.gzipPage.totalMs.toFixed(1)} ms`],
    ['/metrics asked for gzip, CPU', (one) => `${one.gzipPage.cpuMs.toFixed(1)} ms`],
    ['RSS', (one) => `${one.rssMegabytes.toFixed(0)} MB`],
    ['load of the machine', (one) => one.load.toFixed(1)],
  ];
  for (const [name, cell] of rows) {
    console.log(`| ${[name, ...results.map(cell)].join(' | ')} |`);
  }
}
