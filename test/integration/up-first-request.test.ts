// The commands that `spillway up` prints work as they are, whatever its first model is for.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { promisify } from 'node:util';
import { UpProcess } from '../support/up-process.ts';

const run = promisify(execFile);
const root = join(import.meta.dirname, '..', '..');

/** Starts a stack of one model and runs both commands that it prints. @returns Their outputs. */
async function printedCommands(context: TestContext, model: string, ...flags: readonly string[]) {
  const up = await UpProcess.start(['--model', model, '--engines', '1', ...flags]);
  context.after(() => up.end('SIGKILL'));
  await up.ready();
  await up.until(() => /\n\nimport|\n\nconst/.test(up.stdout) && up.stdout.endsWith('\n\n'));
  const curl = up.stdout.split('\n').find((line) => line.startsWith('curl ')) ?? '';
  const answer = JSON.parse((await run('sh', ['-c', `${curl} --silent`])).stdout) as unknown;
  const directory = await mkdtemp(join(tmpdir(), 'up-first-'));
  context.after(() => rm(directory, { recursive: true }));
  await symlink(join(root, 'node_modules'), join(directory, 'node_modules'));
  const snippet = up.stdout.slice(up.stdout.indexOf(curl) + curl.length).trim();
  await writeFile(join(directory, 'first.mjs'), snippet);
  const node = await run(process.execPath, ['first.mjs'], { cwd: directory });
  await up.end('SIGINT');
  return { path: new URL(curl.split(' ')[1] ?? '').pathname, answer, node: node.stdout };
}

test('a model that embeds is asked for an embedding', async (context) => {
  const { path, answer, node } = await printedCommands(context, 'BAAI/bge-m3');
  const { data } = answer as { readonly data: readonly { readonly embedding: number[] }[] };
  assert.deepEqual([path, data[0]?.embedding.length], ['/v1/embeddings', 1024]);
  assert.match(node, /^1024 \[/);
});

test('a model that scores is asked to rerank', async (context) => {
  const { path, answer, node } = await printedCommands(context, 'BAAI/bge-reranker-v2-m3');
  const { results } = answer as { readonly results: readonly object[] };
  assert.deepEqual([path, results.length], ['/rerank', 2]);
  assert.match(node, /relevance_score/);
});

test('a key of the router and one of the engines do not get in the way', async (context) => {
  const keys = { VLLM_API_KEY: 'for-engines', SPILLWAY_ROUTER_API_KEY: 'for-clients' };
  Object.assign(process.env, keys);
  context.after(() => {
    for (const name of Object.keys(keys)) delete process.env[name];
  });
  const { path, answer } = await printedCommands(context, 'BAAI/bge-small-en-v1.5');
  assert.deepEqual([path, (answer as { data: unknown[] }).data.length], ['/v1/embeddings', 1]);
});
