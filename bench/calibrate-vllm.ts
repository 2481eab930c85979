// Calibrates with one kind of traffic to a real vLLM on the CPU and predicts another: the error on
// data that the fit has not seen.
//
//   VLLM_PYTHON=…/bin/python node bench/calibrate-vllm.ts [PORT]
//
// VLLM_PYTHON is a Python with vLLM; `. test/lanes/vllm/install.sh` installs it and sets the
// variable. The engine is a Qwen3 of two layers with random weights, `vllm bench serve` is the
// client. The fit uses fixed numbers of clients with prompts of 128 tokens. `simulate` predicts
// Poisson arrivals with prompts of 512 tokens, measured twice to show how much the machine itself
// varies.
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { calibrationFile } from '../src/io/profile/index.ts';
import { calibrate, calibrationText } from '../src/tools/calibrate/index.ts';
import { simulateRun } from '../src/tools/simulate-engine/index.ts';
import { writeTinyModel } from '../test/lanes/vllm/tiny-model.ts';

/** A result of `vllm bench serve --save-detailed`. */
interface Result {
  readonly mean_ttft_ms: number;
  readonly mean_tpot_ms: number;
  readonly mean_e2el_ms?: number;
  readonly start_times: readonly number[];
  readonly input_lens: readonly number[];
  readonly output_lens: readonly number[];
  readonly ttfts: readonly number[];
  readonly itls: readonly (readonly number[])[];
}

const fittedClients = [1, 4, 8];
const fittedLengths = ['--random-input-len', '128', '--random-output-len', '16'];
const heldOutLengths = ['--random-input-len', '512', '--random-output-len', '32'];
const heldOutArrivals = ['--request-rate', '0.4', '--num-prompts', '20'];
const startSecondsMax = 600;
const benchSecondsMax = 1200;

const meanOf = (values: readonly number[]) =>
  values.reduce((sum, value) => sum + value, 0) / values.length;
const sumOf = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0);
const metrics = {
  TTFT: ({ ttfts }: Result) => 1000 * meanOf(ttfts),
  TPOT: ({ mean_tpot_ms }: Result) => mean_tpot_ms,
  E2E: ({ ttfts, itls }: Result) =>
    1000 * meanOf(ttfts.map((ttft, i) => ttft + sumOf(itls[i] ?? []))),
};

const python = process.env['VLLM_PYTHON'];
if (python === undefined) throw new Error('VLLM_PYTHON names the Python that has vLLM');
const url = `http://127.0.0.1:${process.argv[2] ?? '8177'}`;
const directory = mkdtempSync(join(tmpdir(), 'spillway-calibrate-'));
const model = join(directory, 'tiny');
writeTinyModel(model);
const server = startServer(python);
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => void stop(server).then(() => process.exit(1)));
}
try {
  await untilReady();
  console.log(`${cpus().length} cores, load ${loadavg()[0]?.toFixed(1)} before the measurement`);
  const [warmUp, ...results] = await measure(python);
  if (warmUp === undefined) throw new Error('vllm bench serve printed nothing');
  const fitted = results.slice(0, fittedClients.length);
  const heldOut = results.slice(fittedClients.length);
  console.log(
    `load ${loadavg()[0]?.toFixed(1)} after it, ${Math.round(performance.now() / 1000)} s`,
  );
  await report(fitted, heldOut);
} finally {
  await stop(server);
  rmSync(directory, { recursive: true, force: true });
}

async function report(fitted: readonly Result[], heldOut: readonly Result[]): Promise<void> {
  const files = fitted.map((result, i) => {
    const path = join(directory, `clients-${fittedClients[i]}.json`);
    writeFileSync(path, JSON.stringify(result));
    return path;
  });
  const calibration = await calibrate({
    ...{ model, gpu: 'CPU', tensorParallelSize: 1, bench: files },
    ...{ windowSeconds: 0, intervalSeconds: 1 },
  });
  console.log(calibrationText(calibration).replaceAll(directory, '.'));
  const profile = join(directory, 'profile.json');
  const { layout, result, sources } = calibration;
  writeFileSync(profile, JSON.stringify(calibrationFile(layout, result, sources)));
  console.log('Poisson arrivals, prompts of 512 tokens, not used by the fit (ms):');
  console.log(line(['', 'real', 'real again', 'predicted', 'error']));
  const [first, again] = heldOut;
  if (first === undefined || again === undefined) throw new Error('a run is missing');
  const predicted = await predict(first, profile, result.constants.requestSeconds);
  for (const [name, of] of Object.entries(metrics)) {
    const [real, repeated] = [of(first), of(again)];
    const ours = predicted[name as keyof typeof metrics];
    const error = `${((ours / real - 1) * 100).toFixed(1)} %`;
    console.log(line([name, ...[real, repeated, ours].map((ms) => ms.toFixed(1)), error]));
  }
}

/**
 * Returns the prediction of `simulate --trace --engine-args --profile`, plus the time that the
 * server adds to a first token.
 */
async function predict(
  { start_times, input_lens, output_lens }: Result,
  profile: string,
  requestSeconds: number,
): Promise<Record<keyof typeof metrics, number>> {
  const blockTokens = 128;
  const origin = Math.min(...start_times);
  let nextId = 0;
  const rows = start_times.map((at, i) => ({
    timestamp: (at - origin) * 1000,
    input_length: input_lens[i] ?? 0,
    output_length: output_lens[i] ?? 0,
    hash_ids: Array.from({ length: Math.ceil((input_lens[i] ?? 0) / blockTokens) }, () => nextId++),
  }));
  rows.sort((a, b) => a.timestamp - b.timestamp);
  const trace = join(directory, 'held-out.jsonl');
  writeFileSync(trace, rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
  const engineArgs = join(directory, 'meta.json');
  const kwargs = { model: 'tiny', block_size: blockTokens, max_num_seqs: 128 };
  writeFileSync(engineArgs, JSON.stringify({ engine_kwargs: kwargs }));
  const run = await simulateRun({
    ...{ trace, engineArgs, profile, model, gpu: 'CPU', percentiles: [50] },
    traceUnit: 'ms',
  });
  const { ttft, tpot, e2el } = run.report.fromSent;
  const server = requestSeconds * 1000;
  return {
    TTFT: (ttft?.mean ?? NaN) + server,
    TPOT: tpot?.mean ?? NaN,
    E2E: (e2el?.mean ?? NaN) + server,
  };
}

async function measure(command: string): Promise<Result[]> {
  const random = ['--dataset-name', 'random', '--ignore-eos'];
  const fitted = fittedClients.map((clients) => [
    ...[...random, ...fittedLengths, '--max-concurrency', String(clients)],
    ...['--num-prompts', String(4 + 2 * clients)],
  ]);
  const heldOut = [...random, ...heldOutLengths, ...heldOutArrivals];
  const warmUp = [...random, ...heldOutLengths, '--max-concurrency', '4', '--num-prompts', '4'];
  const runs = [warmUp, ...fitted, heldOut, heldOut].map((arguments_, i) => [
    ...['--base-url', url, '--model', 'tiny', '--tokenizer', model, '--seed', String(i)],
    ...['--backend', 'openai', '--endpoint', '/v1/completions', '--ready-check-timeout-sec', '0'],
    ...['--disable-tqdm', '--save-detailed', ...arguments_],
  ]);
  const script = join(import.meta.dirname, '../test/lanes/clients/vllm_bench.py');
  const { stdout } = await promisify(execFile)(command, ['-B', script, JSON.stringify(runs)], {
    ...{ timeout: benchSecondsMax * 1000, maxBuffer: 1 << 26 },
    env: { ...process.env, HF_HUB_OFFLINE: '1', VLLM_NO_USAGE_STATS: '1' },
  });
  const lines = stdout.trimEnd().split('\n');
  return lines.map((text) => JSON.parse(text) as Result);
}

function startServer(command: string): ChildProcess {
  const { port } = new URL(url);
  const flags = [
    ...['-m', 'vllm.entrypoints.openai.api_server', '--model', model, '--port', port],
    ...['--served-model-name', 'tiny', '--load-format', 'dummy', '--enforce-eager'],
    ...['--dtype', 'bfloat16', '--max-model-len', '4096', '--host', '127.0.0.1'],
  ];
  return spawn(command, flags, {
    // A separate process group, so that vLLM's engine process is stopped with it.
    detached: true,
    stdio: ['ignore', 'ignore', 'ignore'],
    env: {
      ...process.env,
      ...{ VLLM_CPU_KVCACHE_SPACE: '1', VLLM_CPU_OMP_THREADS_BIND: 'nobind' },
      ...{ VLLM_NO_USAGE_STATS: '1', HF_HUB_OFFLINE: '1' },
    },
  });
}

async function untilReady(): Promise<void> {
  const deadline = performance.now() + startSecondsMax * 1000;
  for (;;) {
    const answer = await fetch(`${url}/health`, { signal: AbortSignal.timeout(2000) }).catch(
      () => undefined,
    );
    if (answer?.ok) return;
    if (server.exitCode !== null) throw new Error(`vLLM ended with ${server.exitCode}`);
    if (performance.now() > deadline) throw new Error('vLLM did not start in time');
    await delay(500);
  }
}

async function stop(child: ChildProcess): Promise<void> {
  const group = -(child.pid ?? 0);
  if (child.exitCode !== null || group === 0) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  process.kill(group, 'SIGTERM');
  await Promise.race([ended, delay(20_000)]);
  if (child.exitCode === null && child.signalCode === null) process.kill(group, 'SIGKILL');
}

function line([name = '', ...cells]: readonly string[]): string {
  return name.padEnd(8) + cells.map((cell) => cell.padStart(12)).join('');
}
