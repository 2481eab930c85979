// Engines that share KV cache through a cache server, while that server is lost under load: real processes and bytes, beside a
// simulation of the same file. Exercise 3 of docs/guide/kv-offload.md, live.
//
//   node bench/lost-store.ts [--time-scale 2] [--prompts 240] [--after 80] [--mode none,kept,lost,back,hangs,short] [--rows FILE] [--write]
//
// The server is killed, or stopped, when --after prompts are complete; so it is in the simulation. --rows keeps the rows in a file, so
// that modes can be measured one by one; --write writes docs/results/lost-store.md from it.
import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs, promisify } from 'node:util';
import { isAlive, UpProcess } from '../test/support/up-process.ts';
import { machine } from './machine.ts';

const { values: flags } = parseArgs({
  options: {
    'time-scale': { type: 'string', default: '2' },
    prompts: { type: 'string', default: '240' },
    after: { type: 'string', default: '80' },
    mode: { type: 'string', default: 'none,kept,lost,back,hangs,short' },
    rows: { type: 'string', default: join(tmpdir(), 'lost-store-rows.json') },
    write: { type: 'boolean', default: false },
  },
});
const timeScale = Number(flags['time-scale']);
const root = join(import.meta.dirname, '..');
const main = join(root, 'src/cli/main.ts');
const workload = ['docs/guide/kv-offload/shared.yaml', '--set-workload', 'groups=36'];
/** Of the prompts and their order. */
const seed = ['--seed', '1'];
const run = promisify(execFile);

interface Mode {
  readonly text: string;
  readonly hasServer?: false;
  /** What happens to the server, until the load ends. */
  readonly strike?: (up: UpProcess, isOver: () => boolean) => Promise<void>;
  /** How long the store is unavailable in a simulation, in model seconds after the strike; undefined if that is not simulated. */
  readonly outage?: (liveSeconds: number) => string;
  readonly environment?: Readonly<Record<string, string>>;
}

const modes: Readonly<Record<string, Mode>> = {
  none: { text: 'none, only 20 GiB of host memory per engine', hasServer: false },
  kept: { text: 'runs' },
  lost: {
    text: 'killed, and again each time it is back',
    strike: killForGood,
    outage: () => '',
  },
  back: {
    text: 'killed once; `spillway up` starts it again, empty',
    strike: killOnce,
    outage: (seconds) => `+${seconds.toFixed(1)}s`,
  },
  hangs: { text: 'stopped: it accepts and says nothing; deadline 10 s', strike: stop },
  short: {
    text: 'the same; deadline 50 ms',
    strike: stop,
    environment: { LMCACHE_BLOCKING_TIMEOUT_SECS: '0.05' },
  },
};

interface Figures {
  readonly outputRate: number;
  readonly hitRate: number;
  readonly meanTtftMs: number;
  readonly completed: number;
  readonly failed: number;
}

interface Live extends Figures {
  readonly wrongChunks: number;
  /** How long the server was gone, in model seconds. */
  readonly outageSeconds: number;
  readonly load: number;
}

const folder = mkdtempSync(join(tmpdir(), 'lost-store-'));

function valuesFile(mode: Mode): string {
  const path = join(folder, 'values.yaml');
  const env = Object.entries(mode.environment ?? {}).map(([name, value]) => ({ name, value }));
  const engine = {
    ...{ name: 'llama-70b', modelURL: 'meta-llama/Llama-3.1-70B-Instruct', gpu: 'H100-80GB' },
    ...{ replicaCount: 4, timeScale, env },
    vllmConfig: {
      ...{ tensorParallelSize: 4, enablePrefixCaching: true },
      ...{ numGpuBlocksOverride: 3001, maxModelLen: 16384 },
    },
    // Per GPU, 20 GiB in all.
    lmcacheConfig: { enabled: true, cpuOffloadingBufferSize: '5' },
  };
  const values = {
    servingEngineSpec: { modelSpec: [engine] },
    routerSpec: { routingLogic: 'roundrobin' },
    // Fast, since the link of a live engine is its own, and that of a simulation is shared.
    cacheserverSpec: { enabled: mode.hasServer ?? true, linkGbps: 400, byteShare: 1 / 1024 },
  };
  writeFileSync(path, JSON.stringify(values));
  return path;
}

async function killOnce(up: UpProcess): Promise<void> {
  const pid = up.pids.get('cache');
  if (pid !== undefined) process.kill(pid, 'SIGKILL');
  await up.until(() => up.pids.get('cache') !== pid);
  await up.until(() => isServing(up));
}

async function killForGood(up: UpProcess, isOver: () => boolean): Promise<void> {
  while (!isOver()) {
    const pid = up.pids.get('cache');
    if (pid !== undefined && isAlive(pid)) process.kill(pid, 'SIGKILL');
    await sleep(20);
  }
}

async function stop(up: UpProcess, isOver: () => boolean): Promise<void> {
  const pid = up.pids.get('cache');
  if (pid === undefined) return;
  process.kill(pid, 'SIGSTOP');
  while (!isOver()) await sleep(100);
  if (isAlive(pid)) process.kill(pid, 'SIGCONT');
}

/** Whether the last that `up` says about the server is that it runs. */
function isServing(up: UpProcess): boolean {
  const last = up.events.findLast(({ event, name }) => event === 'process' && name === 'cache');
  return last?.state === 'ready';
}

/** The sum of a counter over all engines. */
async function counted(urls: ReadonlySet<unknown>, name: string): Promise<number> {
  const pages = await Promise.all(
    [...urls].map(async (url) => (await fetch(`${url}/metrics/?name[]=${name}`)).text()),
  );
  const rows = pages.flatMap((page) => [
    ...page.matchAll(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, 'gm')),
  ]);
  return rows.reduce((total, [, value]) => total + Number(value), 0);
}

async function live(mode: Mode): Promise<Live> {
  const values = valuesFile(mode);
  const up = await UpProcess.start(['-f', values, '--json', '--no-dashboard']);
  try {
    await up.ready();
    const urls = new Set(up.events.filter(({ kind }) => kind === 'embedded').map(({ url }) => url));
    let isOver = false;
    const args = [
      ...['bench', 'serve', '--url', up.url, '--backend', 'openai', '--json'],
      ...['--dataset-name', 'workload', '--workload', ...workload, '--num-prompts', flags.prompts],
      ...seed,
      ...['--time-scale', String(timeScale)],
    ];
    const load = spillway(args).finally(() => {
      isOver = true;
    });
    let outageSeconds = 0;
    const struck = (async () => {
      if (mode.strike === undefined) return;
      const served = () => counted(urls, 'vllm:request_success_total');
      while (!isOver && (await served()) < Number(flags.after)) await sleep(100);
      const start = performance.now();
      await mode.strike(up, () => isOver);
      outageSeconds = ((performance.now() - start) / 1000) * timeScale;
    })();
    const result = await load;
    await struck;
    const [own, external, queries, wrongChunks] = await Promise.all(
      [
        ...['vllm:prefix_cache_hits_total', 'vllm:external_prefix_cache_hits_total'],
        ...['vllm:prefix_cache_queries_total', 'spillway_lmcache_wrong_chunks_total'],
      ].map((name) => counted(urls, name)),
    );
    const hitRate = ((own ?? 0) + (external ?? 0)) / (queries ?? 1);
    const figures = { ...figuresOf(result), hitRate, wrongChunks: wrongChunks ?? 0 };
    return { ...figures, outageSeconds, load: loadavg()[0] ?? 0 };
  } finally {
    await up.end('SIGINT');
  }
}

async function simulated(mode: Mode, outageSeconds: number): Promise<Figures | undefined> {
  if (mode.strike !== undefined && mode.outage === undefined) return undefined;
  const perRequest = join(folder, 'requests.jsonl');
  const args = [
    ...['simulate', '-f', valuesFile(mode), '--workload', ...workload, ...seed],
    ...['--requests', flags.prompts, '--json'],
  ];
  const whole = await spillway([...args, '--per-request', perRequest]);
  if (mode.outage === undefined) return { ...figuresOf(whole), hitRate: whole['hit_rate'] ?? 0 };
  const ends = readFileSync(perRequest, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, number>)
    .map(({ arrival_ms: arrival = 0, e2el_ms: took = 0 }) => arrival + took)
    .toSorted((a, b) => a - b);
  const atSeconds = (ends[Number(flags.after) - 1] ?? 0) / 1000;
  const lost = `${atSeconds.toFixed(1)}s${mode.outage(outageSeconds)}`;
  const result = await spillway([...args, '--lose-store', lost]);
  return { ...figuresOf(result), hitRate: result['hit_rate'] ?? 0 };
}

async function spillway(args: readonly string[]): Promise<Record<string, number>> {
  const options = { cwd: root, maxBuffer: 64 << 20 };
  const { stdout } = await run(process.execPath, [main, ...args], options);
  return JSON.parse(stdout) as Record<string, number>;
}

function figuresOf(result: Record<string, number>): Omit<Figures, 'hitRate'> {
  return {
    outputRate: result['output_throughput'] ?? 0,
    meanTtftMs: result['mean_ttft_ms'] ?? 0,
    ...{ completed: result['completed'] ?? 0, failed: result['failed'] ?? 0 },
  };
}

function rowOf(mode: Mode, got: Live, expected: Figures | undefined): string {
  const both = (of: (figures: Figures) => string) =>
    `${of(got)} | ${expected === undefined ? '–' : of(expected)}`;
  return `| ${[
    mode.text,
    both(({ outputRate }) => String(Math.round(outputRate))),
    both(({ hitRate }) => `${(100 * hitRate).toFixed(1)} %`),
    both(({ meanTtftMs }) => `${(meanTtftMs / 1000).toFixed(1)} s`),
    `${got.completed} of ${got.completed + got.failed}`,
    got.wrongChunks,
    got.load.toFixed(1),
  ].join(' | ')} |`;
}

const known: Record<string, string> = existsSync(flags.rows)
  ? JSON.parse(readFileSync(flags.rows, 'utf8'))
  : {};
for (const name of flags.mode.split(',').filter((one) => one !== '')) {
  const mode = modes[name];
  if (mode === undefined) throw new Error(`no mode ${name}`);
  const got = await live(mode);
  known[name] = rowOf(mode, got, await simulated(mode, got.outageSeconds));
  console.log(
    known[name],
    got.outageSeconds > 0 ? `gone for ${got.outageSeconds.toFixed(1)} s` : '',
  );
  writeFileSync(flags.rows, JSON.stringify(known));
}
rmSync(folder, { recursive: true });
const speed =
  { 1: 'as fast as', 2: 'twice as fast as' }[timeScale] ?? `${timeScale} times as fast as`;
const page = `# A cache server that is lost under load

Written by \`node bench/lost-store.ts --write\` on ${machine()}.

[Exercise 3](../guide/kv-offload.md#3-what-if-the-shared-store-is-lost) live: \`spillway up\` runs four embedded engines (Llama-3.1-70B on four H100s each, HBM for 48,000 tokens, 20 GiB of
host memory) that share KV cache through \`spillway cache\`, ${speed} real engines. \`spillway bench serve\` sends ${flags.prompts} prompts of 8,200 tokens with 36 system prompts, 32 at once, round robin. The
server is lost when ${flags.after} prompts are complete. Each second column is a simulation of the same file. All times are those of the model. The link has 400 Gbit/s, since live each engine has one of its own, and in a
simulation they share it. The last column is the machine's load at the end of the row.

| cache server | output tok/s, live | simulated | hit rate, live | simulated | mean TTFT, live | simulated | completed | wrong chunks | load |
|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|
${Object.keys(modes)
  .flatMap((name) => known[name] ?? [])
  .join('\n')}
`;
if (flags.write) writeFileSync(join(root, 'docs/results/lost-store.md'), page);
