// `spillway compare` as a user runs it, against scripted servers.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, type TestContext, test } from 'node:test';
import { scriptedOpenai } from '../support/scripted-openai.ts';

const directory = mkdtempSync(join(tmpdir(), 'spillway-compare-'));
after(() => rmSync(directory, { recursive: true }));

function run(...args: readonly string[]) {
  return spillway('compare', ...args);
}

function spillway(...args: readonly string[]) {
  const { OPENAI_API_KEY: _, ...env } = process.env;
  return new Promise<{ status: number; stdout: string; stderr: string }>((resolve) => {
    const command = ['bin/spillway.mjs', ...args];
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
    // By chance, equal servers differ significantly in one run of twenty.
    '--tolerance',
    '90%',
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
    [
      [],
      2,
      /^Give what to compare: two URLs, two values files, group:a and group:b, the folders of two runs, or two results of vllm/m,
    ],
    [[scripted.url], 2, /^Give what to compare/m],
    [['x', scripted.url], 2, /^There is no x: give two URLs such as/m],
    [['http://', scripted.url], 2, /^http:\/\/ is not a URL/m],
    [[directory, scripted.url], 2, /is not the folder of a run: it has no run\.json/],
    [[scripted.url, scripted.url, '--set-b', 'a=1'], 2, /--set-b changes a values file, and B/],
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

const values = `
servingEngineSpec:
  modelSpec:
    - { name: qwen, modelURL: Qwen/Qwen3-8B, replicaCount: 1, gpu: H100-80GB }
`;

test('two values files are started, measured and stopped; --set-b changes the second', async () => {
  const file = join(directory, 'stack.yaml');
  writeFileSync(file, values);
  const { status, stdout, stderr } = await run(
    ...[file, file, '--set-b', 'servingEngineSpec.modelSpec[0].gpu=L4'],
    ...['--num-prompts', '16', '--blocks', '8', '--request-rate', '40', '--num-warmups', '1'],
    ...['--random-input-len', '100', '--random-output-len', '20', '--json'],
  );
  assert.equal(status, 1, stderr);
  const { verdict, a, b, latencies } = JSON.parse(stdout);
  assert.equal(verdict, 'worse');
  // An L4 has a tenth of the bandwidth of an H100.
  assert.ok(latencies.tpot.low > 2, stdout);
  assert.deepEqual([a.values, a.model, a.failed], [file, 'Qwen/Qwen3-8B', 0]);
  assert.equal(b.values, `${file} servingEngineSpec.modelSpec[0].gpu=L4`);
  for (const { url } of [a, b]) await assert.rejects(fetch(url), 'its router has ended');
});

test('a wrong values file, or a wrong change to it, starts nothing', async () => {
  const file = join(directory, 'wrong.yaml');
  writeFileSync(file, values.replace('replicaCount: 1', 'replicaCount: many'));
  const { status, stdout, stderr } = await run(file, file);
  assert.deepEqual([status, stdout], [2, '']);
  assert.match(stderr, /wrong\.yaml:4:\d+.*replicaCount/);
  const right = join(directory, 'right.yaml');
  writeFileSync(right, values);
  const changed = await run(right, right, '--set-b', 'routerSpec.routing=x');
  assert.equal(changed.status, 2);
  assert.match(changed.stderr, /^spillway: --set-b routerSpec\.routing=x: /);
});

test('saved runs are compared with each other, and with the newest of a label', async (t) => {
  const history = join(directory, 'history');
  const measured = async (gapMs: number, label: string) => {
    const { url } = await server(t, gapMs);
    const { status, stderr } = await spillway(
      ...['bench', 'serve', '--url', url, ...load, '--num-prompts', '24', '--num-warmups', '0'],
      ...['--run-dir', history, '--label', label],
    );
    assert.equal(status, 0, stderr);
  };
  await measured(5, 'main');
  await measured(30, 'main');
  const [first = '', second = ''] = readdirSync(history)
    .sort()
    .map((name) => join(history, name));
  const between = await run(first, second, '--json');
  assert.equal(between.status, 1, between.stderr);
  const { verdict, latencies, a, b, seconds } = JSON.parse(between.stdout);
  assert.deepEqual([verdict, a.run, b.run, seconds], ['worse', first, second, null]);
  assert.ok(latencies.tpot.low > 2, between.stdout);
  assert.equal(a.model, 'scripted');

  // The same responses a day later: no difference, however busy this machine is.
  const branch = join(history, 'branch');
  cpSync(second, branch, { recursive: true });
  const header = JSON.parse(readFileSync(join(branch, 'run.json'), 'utf8'));
  const startedAt = new Date(Date.parse(header.started_at) + 86_400_000).toISOString();
  const later = JSON.stringify({ ...header, label: 'branch', started_at: startedAt });
  writeFileSync(join(branch, 'run.json'), later);
  const among = ['--against', 'main', '--history', history];
  const against = await run(...among, '--json');
  assert.equal(against.status, 0, against.stdout + against.stderr);
  const found = JSON.parse(against.stdout);
  assert.deepEqual([found.verdict, found.latencies.e2el.ratio], ['no difference', 1]);
  assert.deepEqual([found.a.run, found.b.run], [second, branch]);
  assert.deepEqual([found.regression.good.path, found.regression.bad.path], [first, second]);
  const text = await run(...among);
  assert.match(text.stdout, new RegExp(`^since {6}${second}; the last run that was no worse`, 'm'));

  const mixed = await run(first, (await server(t, 1)).url);
  assert.deepEqual([mixed.status, mixed.stdout], [2, '']);
  assert.match(mixed.stderr, /A saved run can only be compared with another one/);
  const unknown = await run('--against', 'prod', '--history', history);
  assert.equal(unknown.status, 2);
  assert.match(unknown.stderr, /has no complete run with the label "prod"/);
});
