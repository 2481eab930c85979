import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { readResponses, readResultFile, resultFilesIn } from './index.ts';

const directory = mkdtempSync(join(tmpdir(), 'spillway-results-'));
after(() => rmSync(directory, { recursive: true }));

function file(name: string, content: unknown): string {
  const path = join(directory, name);
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
  return path;
}

/** Keys of `vllm bench serve --save-result`, 0.33. */
const summary = {
  ...{ date: '20260801-101010', endpoint_type: 'openai', backend: 'openai', label: null },
  ...{ model_id: 'm', tokenizer_id: 'm', num_prompts: 3, request_rate: 4, burstiness: 1 },
  ...{ max_concurrency: null, duration: 2, completed: 2, failed: 1, total_input_tokens: 30 },
  ...{ total_output_tokens: 6, request_throughput: 1, output_throughput: 3, mean_ttft_ms: 100 },
};

const detailed = {
  ...summary,
  ...{ input_lens: [10, 10, 10], output_lens: [4, 0, 2], ttfts: [0.1, 0, 0.2] },
  ...{ itls: [[0.1, 0.1, 0.1], [], [0.3]], start_times: [50, 50.5, 51] },
  ...{ errors: ['', 'boom', ''], generated_texts: ['a', '', 'b'] },
};

test('a result is a run with its load, its time and its figures', async () => {
  const [run] = (await readResultFile(file('a.json', summary))) ?? [];
  assert.equal(run?.startedAt, '2026-08-01T10:10:10.000Z');
  assert.equal(
    run?.arguments.join(' '),
    'vllm bench serve --num-prompts 3 --request-rate 4 --burstiness 1',
  );
  assert.deepEqual([run?.label, run?.status, run?.responses], [undefined, 0, undefined]);
  assert.equal(run?.result?.['mean_ttft_ms'], 100);
  const [own] = (await readResultFile(file('own.txt', { ...summary, spillway: {} }))) ?? [];
  assert.deepEqual([run?.command, own?.command], ['vllm bench serve', 'bench serve']);
  assert.deepEqual(run && (await readResponses(run)), []);
});

test('values per request become responses, failed ones included', async () => {
  const [run] = (await readResultFile(file('b.json', detailed))) ?? [];
  const rounded = run?.responses?.map(({ at, ttftMs = 0, tpotMs = 0, e2eMs = 0, error }) => [
    ...[at, Math.round(ttftMs), Math.round(tpotMs), Math.round(e2eMs), error],
  ]);
  assert.deepEqual(rounded, [
    [0, 100, 100, 400, undefined],
    [0.5, 0, 0, 0, 'failed'],
    [1, 200, 300, 500, undefined],
  ]);
});

test('without --save-detailed, vLLM leaves the end-to-end times, in the order of the requests', async () => {
  const [run] =
    (await readResultFile(file('c.json', { ...summary, latencies: [0.4, 0, 0.5] }))) ?? [];
  assert.deepEqual(
    run?.responses?.map(({ at, ttftMs, e2eMs, error }) => [at, ttftMs, e2eMs, error]),
    [
      [0, undefined, 400, undefined],
      [1, undefined, undefined, 'failed'],
      [2, undefined, 500, undefined],
    ],
  );
});

test('a file of --append-result has several results, and Python’s NaN is no number', async () => {
  const line = JSON.stringify(summary);
  const path = file(
    'many.json',
    `${line}\n${line.replace('"mean_ttft_ms":100', '"mean_ttft_ms":NaN')}`,
  );
  const runs = (await readResultFile(path)) ?? [];
  assert.deepEqual(
    runs.map((run) => run.path),
    [`${path}#1`, `${path}#2`],
  );
  assert.equal(runs[1]?.result?.['mean_ttft_ms'], null);
});

test('other files are no results, and those of other benchmarks are named', async () => {
  for (const content of ['servingEngineSpec: {}\n', '{"servingEngineSpec": {}}', '{', '[1]', '']) {
    assert.equal(await readResultFile(file('other', content)), undefined, content);
  }
  const foreign: readonly (readonly [object, RegExp])[] = [
    [
      { ...summary, total_output_tokens_retokenized: 5 },
      /a result of SGLang’s bench_serving, which is not read: give results of vllm bench serve/,
    ],
    [{ metadata: {}, args: {}, benchmarks: [] }, /a result of guidellm/],
    [{ records: [], input_config: {} }, /GenAI-Perf/],
  ];
  for (const [content, message] of foreign) {
    await assert.rejects(readResultFile(file('foreign.jsonl', content)), message);
  }
  await assert.rejects(
    readResultFile(file('d.json', { ...summary, ttfts: 'x' })),
    /ttfts must be a list of numbers/,
  );
  await assert.rejects(readResultFile(join(directory, 'none.json')), /Cannot read .*none\.json/);
});

test('the results in a folder are found among other files', async () => {
  const found = await resultFilesIn(directory);
  assert.deepEqual(
    [...new Set(found.map(({ path }) => path.slice(directory.length + 1)))],
    ['a.json', 'b.json', 'c.json', 'many.json#1', 'many.json#2'],
  );
});
