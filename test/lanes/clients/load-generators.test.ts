// Load generators of others, unmodified, against our router before two embedded engines: guidellm, and the multi-round QA
// benchmark of vLLM's production stack.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { promisify } from 'node:util';
import { writeTinyModel } from '../vllm/tiny-model.ts';
import { directory, type Program, startEngine, startSpillwayRouter } from './programs.ts';

const python = process.env['LOAD_PYTHON'];
const skip = python === undefined && (process.env['LOAD_MISSING'] ?? 'no guidellm');
const model = 'Qwen/Qwen3-8B';
/** Importing torch takes minutes on a busy machine. */
const timeout = 400_000;

let router: Program;

before(async () => {
  if (skip !== false) return;
  const engines = await Promise.all([startEngine([model]), startEngine([model])]);
  router = await startSpillwayRouter(engines, {});
});

function run(args: readonly string[], cwd: string): Promise<{ stdout: string; stderr: string }> {
  const env = { ...process.env, HF_HUB_OFFLINE: '1', PYTHONDONTWRITEBYTECODE: '1' };
  return promisify(execFile)(python as string, args, { cwd, timeout, env, maxBuffer: 16 << 20 });
}

test('guidellm measures the router at a constant rate, without errors', { skip }, async () => {
  const tokenizer = join(directory, 'tokenizer');
  mkdirSync(tokenizer);
  writeTinyModel(tokenizer);
  const json = join(directory, 'guidellm.json');
  const target = `kind=openai_http,target=${router.url},model=${model}`;
  await run(
    [
      ...['-m', 'guidellm', 'run', '--backend', target, '--profile', 'kind=constant,rate=4'],
      ...['--constraint', 'kind=max_requests,count=20'],
      ...['--tokenizer', `kind=hf_auto,model=${tokenizer}`],
      ...['--data', 'kind=synthetic_text,prompt_tokens=300,output_tokens=40'],
      ...['--output', `kind=json,path=${json}`, '--disable-console'],
    ],
    directory,
  );
  const report = JSON.parse(readFileSync(json, 'utf8')) as {
    readonly benchmarks: readonly [
      {
        readonly metrics: {
          readonly request_totals: Readonly<Record<string, number>>;
          readonly output_token_count: { readonly successful: { readonly total_sum: number } };
        };
      },
    ];
  };
  const { request_totals: totals, output_token_count: tokens } = report.benchmarks[0].metrics;
  assert.deepEqual([totals['successful'], totals['errored']], [20, 0]);
  assert.equal(tokens.successful.total_sum, 800);
});

test('upstream’s multi-round QA runs against the router, and each of its answers has its tokens', {
  skip,
}, async () => {
  const csv = join(directory, 'qa.csv');
  const { stdout } = await run(
    [
      ...['multi-round-qa.py', '--model', model, '--base-url', `${router.url}/v1`],
      ...['--num-users', '4', '--num-rounds', '2', '--qps', '2', '--answer-len', '20'],
      ...['--shared-system-prompt', '100', '--user-history-prompt', '200'],
      ...['--log-interval', '5', '--time', '12', '--output', csv],
    ],
    join(import.meta.dirname, 'multi-round-qa'),
  );
  assert.match(stdout, /Performance summary/);
  const [head = '', ...rows] = readFileSync(csv, 'utf8').trim().split('\n');
  assert.ok(rows.length >= 10, `${rows.length} answers`);
  const column = head.split(',').indexOf('generation_tokens');
  const counts = rows.map((row) => Number(row.split(',')[column]));
  // A response of the synthetic text may end before its limit.
  assert.ok(
    counts.every((count) => count >= 1 && count <= 20),
    String(counts),
  );
});
