// `spillway compare` as a user runs it, against scripted servers.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { type TestContext, test } from 'node:test';
import { scriptedOpenai } from '../support/scripted-openai.ts';

function run(...args: readonly string[]) {
  const { OPENAI_API_KEY: _, ...env } = process.env;
  return new Promise<{ status: number; stdout: string; stderr: string }>((resolve) => {
    const command = ['bin/spillway.mjs', 'compare', ...args];
    execFile(process.execPath, command, { env, timeout: 120_000 }, (error, stdout, stderr) => {
      resolve({ status: Number(error?.code ?? 0), stdout, stderr });
    });
  });
}

async function server(t: TestContext, gapMs: number) {
  const scripted = await scriptedOpenai({ gapMs });
  t.after(() => scripted.close());
  return scripted;
}

const load = ['--random-input-len', '20', '--random-output-len', '8', '--request-rate', '100'];

test('a server whose tokens take six times as long is worse, with status 1', async (t) => {
  const [a, b] = [await server(t, 5), await server(t, 30)];
  const { status, stdout, stderr } = await run(
    a.url,
    b.url,
    ...load,
    '--num-prompts',
    '24',
    '--json',
  );
  assert.equal(status, 1, stderr);
  const result = JSON.parse(stdout);
  assert.equal(result.verdict, 'worse');
  assert.ok(result.latencies.tpot.low > 2, stdout);
  assert.deepEqual([result.pairs, result.block_requests], [8, 3]);
  assert.deepEqual([result.a.requests, result.b.requests], [24, 24]);
  assert.deepEqual([result.a.model, result.b.failed, result.warnings], ['scripted', 0, []]);
});

test('the faster one of the two is better, with status 0 and the verdict first', async (t) => {
  const [a, b] = [await server(t, 30), await server(t, 5)];
  const { status, stdout, stderr } = await run(a.url, b.url, ...load, '--num-prompts', '24');
  assert.equal(status, 0, stderr);
  assert.match(stdout, /^Better: B is faster: /);
  assert.match(stdout, /^E2E +[\d.]+ +[\d.]+ +0\.\d+ +0\.\d+ to 0\.\d+ +0\.\d+$/m);
});

test('blocks alternate A B B A, with equal lengths and different words', async (t) => {
  const [a, b] = [await server(t, 1), await server(t, 1)];
  const { status, stderr } = await run(
    a.url,
    b.url,
    ...load,
    '--num-prompts',
    '8',
    '--num-warmups',
    '0',
  );
  assert.ok([0, 3].includes(status), stderr);
  assert.deepEqual([a.requests.length, b.requests.length], [8, 8]);
  const prompts = [...a.requests, ...b.requests].map(({ prompt }) => prompt as string);
  assert.deepEqual([...new Set(prompts.map((prompt) => prompt.split(' ').length))], [20]);
  assert.equal(new Set(prompts).size, 16);
});

test('too few requests are status 3, and say what is needed', async (t) => {
  const scripted = await server(t, 1);
  const args = [scripted.url, scripted.url, ...load, '--num-prompts', '4', '--json'];
  const { status, stdout } = await run(...args);
  assert.equal(status, 3);
  const { verdict, reason } = JSON.parse(stdout);
  assert.equal(verdict, 'not enough data');
  assert.match(
    reason,
    /4 pairs of blocks have complete responses of both servers; a verdict needs 8/,
  );
});

test('wrong input is status 2, a server that is away 4, each in one sentence', async (t) => {
  const scripted = await server(t, 1);
  const cases = [
    [['http://127.0.0.1:1', scripted.url], 4, /^Cannot reach http:\/\/127\.0\.0\.1:1\/v1/m],
    [[scripted.url], 2, /missing required argument 'url-b'/],
    [['x', scripted.url], 2, /It must be an http:\/\/ or https:\/\/ URL/],
    [[scripted.url, scripted.url, '--detect', 'much'], 2, /It must be a share such as 5% or 0\.05/],
    [
      [scripted.url, scripted.url, '--blocks', '9', '--num-prompts', '3'],
      2,
      /3 requests are too few for 9 blocks/,
    ],
    [[scripted.url, scripted.url, '--model', 'other'], 2, /does not serve the model "other"/],
  ] as const;
  for (const [args, status, sentence] of cases) {
    const failed = await run(...args);
    assert.equal(failed.status, status, `${args.join(' ')}: ${failed.stderr}`);
    assert.match(failed.stderr.replace(/^spillway: /m, ''), sentence);
    assert.equal(failed.stdout, '');
  }
});
