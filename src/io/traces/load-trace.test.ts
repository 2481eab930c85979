import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { InputError } from '../../core/base/index.ts';
import { loadTrace } from './index.ts';

const directory = mkdtempSync(join(tmpdir(), 'spillway-traces-'));
after(() => rmSync(directory, { recursive: true }));

const conversation = 'bench/data/mooncake-conversation.jsonl.gz';

function file(name: string, content: string | Buffer): string {
  const path = join(directory, name);
  writeFileSync(path, content);
  return path;
}

const rows = Array.from(
  { length: 5 },
  (_, i) => `{"timestamp":${i},"input_length":3,"output_length":1,"hash_ids":[${i}]}`,
).join('\n');

test('reads the same trace plain and gzipped, whatever its name', async () => {
  const plain = await loadTrace(file('plain', rows));
  assert.deepEqual(await loadTrace(file('packed', gzipSync(rows))), plain);
  assert.equal(plain.requests.length, 5);
});

test('stops reading when it has enough requests, so that a later invalid row causes no error', async () => {
  const path = file('tail', `${rows}\nrubbish`);
  const trace = await loadTrace(path, { skip: 1, requests: 2 });
  assert.deepEqual(
    trace.requests.map((request) => request.blockIds),
    [[1], [2]],
  );
  await assert.rejects(loadTrace(path), /tail:6: not JSON/);
});

test('reports an unreadable trace in one sentence', async () => {
  const isInput = (message: RegExp) => (error: unknown) =>
    error instanceof InputError && message.test(error.message);
  await assert.rejects(
    loadTrace(join(directory, 'none')),
    isInput(/Cannot read the trace .*no such file/),
  );
  await assert.rejects(loadTrace(directory), isInput(/Cannot read the trace .*it is a folder/));
  await assert.rejects(loadTrace(file('empty', '')), isInput(/has no requests/));
  await assert.rejects(
    loadTrace(file('cut.gz', gzipSync(rows).subarray(0, 40))),
    isInput(/Cannot read the trace .*unexpected end of file/),
  );
  await assert.rejects(
    loadTrace(file('few', rows), { skip: 9 }),
    isInput(/has 5 requests; none is left after skipping 9/),
  );
});

test('the included conversation trace is the published one', async () => {
  const { blockTokens, requests } = await loadTrace(conversation, { requests: 1000 });
  assert.equal(blockTokens, 512);
  assert.equal(requests.length, 1000);
  assert.deepEqual(
    [requests[0]?.promptTokens, requests[0]?.outputTokens, requests[0]?.blockIds.length],
    [6758, 500, 14],
  );
});

test('reads a recorded run of vLLM as a trace of 16-token blocks', async () => {
  const { blockTokens, requests } = await loadTrace(
    'bench/data/vllm-runs/rtx4090-llama31-8b.jsonl.gz',
  );
  assert.equal(blockTokens, 16);
  assert.equal(requests.length, 300);
  assert.deepEqual(
    [requests[0]?.arrivalSeconds, requests[0]?.promptTokens, requests[0]?.blockIds.length],
    [46.927 / 1000, 2358, 148],
  );
});

test('the included Azure trace is the published one', async () => {
  const { requests } = await loadTrace('bench/data/azure-code-2023.csv.gz');
  assert.equal(requests.length, 8819);
  const mean = requests.reduce((total, { promptTokens }) => total + promptTokens, 0) / 8819;
  assert.equal(Math.round(mean), 2048);
  assert.equal(Math.round(requests.at(-1)?.arrivalSeconds ?? 0), 3436);
});
