// One run: a new stack with one policy, a replay against it, and the reports of both.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

/** Longest requests of the trace are 126,195 + 1,500 tokens. */
const contextTokens = 131_072;
const startTimeoutMs = 60_000;
/** The router scrapes its engines' counters once per second under `up`. */
const scrapeSettleMs = 2_500;
/** USER_HZ, which is 100 on every Linux architecture that Node runs on. */
const clockTicksPerSecond = 100;

export interface LiveLoad {
  readonly requests: number;
  readonly speed: number;
  readonly timeScale: number;
  readonly gpu: string;
}

/** The result of one run; times in GPU time unless stated otherwise. */
export interface LiveRun {
  readonly policy: string;
  readonly repeat: number;
  readonly completed: number;
  readonly failed: number;
  readonly errors: Readonly<Record<string, number>>;
  /**
   * Share of prompt tokens found in the cache, from the engines' own counters; null if they have
   * none.
   */
  readonly hitRate: number | null;
  readonly ttftMeanMs: number;
  readonly ttftP50Ms: number;
  readonly ttftP90Ms: number;
  readonly ttftP99Ms: number;
  readonly tpotMeanMs: number;
  readonly e2eMeanMs: number;
  readonly preemptions: number | null;
  /** Busiest engine relative to the mean, by requests and by prompt tokens. */
  readonly spreadRequests: number;
  readonly spreadTokens: number;
  readonly offeredRate: number;
  readonly durationSeconds: number;
  /** Wall milliseconds. */
  readonly clientLagMeanMs: number;
  readonly clientLagP99Ms: number;
  readonly clientLagMaxMs: number;
  /**
   * Number of responses whose engine was more than 0.1 s behind its own clock, and the maximum
   * delay in wall milliseconds.
   */
  readonly behindAnswers: number;
  readonly behindMaxMs: number;
  /** Share of all processors in use during the replay, by any process. */
  readonly cpuShare: number;
  /** CPU seconds of the processes, from start to end of the replay. */
  readonly cpuSeconds: {
    readonly router: number;
    readonly engines: number;
    readonly client: number;
  };
}

/** Starts a stack, replays against it, stops it. */
export async function runPolicy(
  options: LiveLoad & {
    readonly policy: string;
    readonly repeat: number;
    readonly signal: AbortSignal;
  },
): Promise<LiveRun> {
  const directory = await mkdtemp(join(tmpdir(), 'spillway-policies-'));
  const port = await freePort();
  const up = startStack(options, port);
  try {
    await up.ready;
    const result = join(directory, 'result.json');
    const before = { machine: cpuTimes(), stack: up.cpuSeconds() };
    await replay(options, port, result);
    const after = { machine: cpuTimes(), stack: up.cpuSeconds() };
    await new Promise((resolve) => setTimeout(resolve, scrapeSettleMs));
    const engines = await (await fetch(`http://127.0.0.1:${port}/engines`)).json();
    const json = JSON.parse(await readFile(result, 'utf8')) as ReplayJson;
    return {
      ...options,
      ...summary(json, engines as EngineView[]),
      cpuShare:
        (after.machine.busy - before.machine.busy) / (after.machine.all - before.machine.all),
      cpuSeconds: {
        router: after.stack.router - before.stack.router,
        engines: after.stack.engines - before.stack.engines,
        client: json.spillway.client_cpu_seconds,
      },
    };
  } finally {
    await up.stop();
    await rm(directory, { recursive: true });
  }
}

interface EngineView {
  readonly reported: {
    readonly prefixCacheQueries: number | null;
    readonly prefixCacheHits: number | null;
    readonly preemptions: number | null;
  } | null;
}

/** The part of `bench replay --json` that is used; see its guide. */
interface ReplayJson {
  readonly completed: number;
  readonly failed: number;
  readonly duration: number;
  readonly request_rate: number;
  readonly mean_ttft_ms: number;
  readonly p50_ttft_ms: number;
  readonly p90_ttft_ms: number;
  readonly p99_ttft_ms: number;
  readonly mean_tpot_ms: number;
  readonly mean_e2el_ms: number;
  readonly spillway: {
    readonly time_scale: number;
    readonly errors_by_kind: Readonly<Record<string, number>>;
    readonly spread_requests: number;
    readonly spread_prompt_tokens: number;
    readonly client_lag_ms: { readonly mean: number; readonly p99: number; readonly max: number };
    readonly engines_behind: { readonly answers: number; readonly max_wall_ms: number };
    readonly client_cpu_seconds: number;
  };
}

function summary(json: ReplayJson, engines: readonly EngineView[]) {
  const total = (name: 'prefixCacheQueries' | 'prefixCacheHits' | 'preemptions') =>
    engines.reduce((sum, { reported }) => sum + (reported?.[name] ?? Number.NaN), 0);
  const hitRate = total('prefixCacheHits') / total('prefixCacheQueries');
  const { spillway } = json;
  const wall = spillway.time_scale;
  return {
    completed: json.completed,
    failed: json.failed,
    errors: spillway.errors_by_kind,
    hitRate: Number.isNaN(hitRate) ? null : hitRate,
    ttftMeanMs: json.mean_ttft_ms,
    ttftP50Ms: json.p50_ttft_ms,
    ttftP90Ms: json.p90_ttft_ms,
    ttftP99Ms: json.p99_ttft_ms,
    tpotMeanMs: json.mean_tpot_ms,
    e2eMeanMs: json.mean_e2el_ms,
    preemptions: Number.isNaN(total('preemptions')) ? null : total('preemptions'),
    spreadRequests: spillway.spread_requests,
    spreadTokens: spillway.spread_prompt_tokens,
    offeredRate: json.request_rate,
    durationSeconds: json.duration,
    clientLagMeanMs: spillway.client_lag_ms.mean / wall,
    clientLagP99Ms: spillway.client_lag_ms.p99 / wall,
    clientLagMaxMs: spillway.client_lag_ms.max / wall,
    behindAnswers: spillway.engines_behind.answers,
    behindMaxMs: spillway.engines_behind.max_wall_ms,
  };
}

function startStack(options: LiveLoad & { readonly policy: string }, port: number) {
  const child = spawn(
    process.execPath,
    [
      ...['bin/spillway.mjs', 'up', '--json', '--no-dashboard', '--port', String(port)],
      ...['--engines', '4', '--gpu', options.gpu, '--policy', options.policy],
      ...['--time-scale', String(options.timeScale)],
      ...['--set', `servingEngineSpec.modelSpec[0].vllmConfig.maxModelLen=${contextTokens}`],
    ],
    // The trace has prompts of 126,195 tokens, three times the context that the model was trained
    // for.
    {
      env: { ...process.env, VLLM_ALLOW_LONG_MAX_MODEL_LEN: '1' },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  const pids = { router: new Set<number>(), engines: new Set<number>() };
  const lastLines: string[] = [];
  let isReady = () => {};
  const ready = new Promise<void>((resolve, reject) => {
    isReady = resolve;
    child.once('exit', () => reject(new Error(`up ended early:\n${lastLines.join('\n')}`)));
    setTimeout(() => reject(new Error('up was not ready in time')), startTimeoutMs).unref();
  });
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on('line', (line) => {
      if (line.startsWith('{"event":"ready"')) isReady();
      if (line.startsWith('{"event":"process"')) {
        const { kind, pid } = JSON.parse(line);
        if (pid !== undefined) pids[kind === 'router' ? 'router' : 'engines'].add(pid);
      }
      if (!line.startsWith('{"event":"snapshot"')) lastLines.push(line);
      if (lastLines.length > 20) lastLines.shift();
    });
  }
  const cpuSeconds = () => ({
    router: totalCpuSeconds(pids.router),
    engines: totalCpuSeconds(pids.engines),
  });
  return { ready, cpuSeconds, stop: () => end(child) };
}

async function replay(options: LiveLoad, port: number, result: string): Promise<void> {
  const child = spawn(
    process.execPath,
    [
      ...['bin/spillway.mjs', 'bench', 'replay', '--json', result, '--warmup', '8'],
      ...['--trace', 'bench/data/mooncake-conversation.jsonl.gz'],
      ...['--url', `http://127.0.0.1:${port}/v1`, '--requests', String(options.requests)],
      ...['--speed', String(options.speed), '--time-scale', String(options.timeScale)],
    ],
    { stdio: ['ignore', 'ignore', 'inherit'] },
  );
  const [status] = await once(child, 'exit');
  if (status !== 0) throw new Error(`bench replay ended with status ${status}`);
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGINT');
  await once(child, 'exit');
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  return typeof address === 'object' && address !== null ? address.port : 0;
}

/** Seconds of all processors since the machine started. */
function cpuTimes(): { readonly busy: number; readonly all: number } {
  let [busy, all] = [0, 0];
  for (const { times } of cpus()) {
    busy += times.user + times.nice + times.sys + times.irq;
    all += times.user + times.nice + times.sys + times.irq + times.idle;
  }
  return { busy, all };
}

/** User and system time of live processes; 0 for ended ones and without /proc. */
function totalCpuSeconds(pids: ReadonlySet<number>): number {
  let ticks = 0;
  for (const pid of pids) {
    try {
      const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
      ticks += Number(fields[11]) + Number(fields[12]);
    } catch {
      // The process has ended, or this is not Linux.
    }
  }
  return ticks / clockTicksPerSecond;
}
