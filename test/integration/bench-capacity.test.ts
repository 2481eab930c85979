// `spillway bench sweep`, `bench saturate` and `--slo` as a user runs them, against embedded engines.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { type TestContext, test } from 'node:test';
import { startFleet } from '../support/fleet.ts';
import { until } from '../support/until.ts';

const model = 'Qwen/Qwen3-8B';
const small = ['--random-input-len', '20', '--random-output-len', '4', '--num-warmups', '0'];

function start(...args: readonly string[]) {
  const child = spawn(process.execPath, ['bin/spillway.mjs', 'bench', ...args]);
  const texts = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => {
      texts[name] += text;
    });
  }
  const ended = new Promise<{ status: number | null; stdout: string; stderr: string }>((resolve) =>
    child.once('close', (status) => resolve({ status, ...texts })),
  );
  return { child, texts, ended };
}

const run = (...args: readonly string[]) => start(...args).ended;

async function fleetUrl(t: TestContext): Promise<string> {
  const config = { maxNumSeqs: 2 };
  const fleet = await startFleet(t, {
    engines: 1,
    policy: 'roundrobin',
    model,
    config,
    stepSeconds: 0.004,
  });
  return fleet.url;
}

test('a sweep over numbers of users has a point for each, and a knee', async (t) => {
  const { status, stdout, stderr } = await run(
    ...['sweep', '--url', await fleetUrl(t), ...small, '--concurrencies', '1:4:x2'],
    ...['--num-prompts', '24', '--json'],
  );
  assert.equal(status, 0, stderr);
  const result = JSON.parse(stdout);
  assert.equal(result.axis, 'concurrency');
  assert.deepEqual(
    result.points.map((point: { concurrency: number; completed: number }) => [
      point.concurrency,
      point.completed,
    ]),
    [
      [1, 24],
      [2, 24],
      [4, 24],
    ],
  );
  assert.ok([1, 2, 4].includes(result.knee.concurrency));
  assert.ok(result.points[0].steady_request_throughput > 0);
  assert.ok(result.environment.node !== undefined || Object.keys(result.environment).length > 0);
  assert.equal(stderr.match(/^\d users?: /gm)?.length, 3);
});

test('a server is saturated by doubling its users, as a table', async (t) => {
  const { status, stdout, stderr } = await run(
    ...[
      'saturate',
      '--url',
      await fleetUrl(t),
      ...small,
      '--max-users',
      '2',
      '--num-prompts',
      '12',
    ],
  );
  assert.equal(status, 0, stderr);
  assert.match(stdout, /^users +completed\/s/);
  assert.match(stdout, /^knee {8}(1 user|not below 2 users, the highest load): /m);
});

test('bench serve --slo finds a rate that holds an easy service level, none that holds an impossible one', async (t) => {
  const url = await fleetUrl(t);
  const load = [...small, '--num-prompts', '30', '--request-rate', '10', '--json'];
  const easy = await run(
    ...['serve', '--url', url, ...load, '--slo', 'e2el=80ms', '--precision', '90%'],
  );
  assert.equal(easy.status, 0, easy.stderr);
  const result = JSON.parse(easy.stdout);
  assert.ok(result.max_rate > 0, easy.stderr);
  assert.deepEqual(result.slo, { ttft_ms: null, tpot_ms: null, e2el_ms: 80, share: 0.9 });
  const impossible = await run(
    ...['serve', '--url', url, ...small, '--num-prompts', '4', '--request-rate', '2', '--slo'],
    ...['ttft=0.001ms'],
  );
  assert.equal(impossible.status, 1);
  assert.match(
    impossible.stdout,
    /^No rate holds TTFT <= 0\.001 ms for 90\.0 % of the requests\.$/m,
  );
});

test('Ctrl-C prints the loads that are complete', async (t) => {
  const { child, texts, ended } = start(
    ...['sweep', '--url', await fleetUrl(t), ...small, '--rates', '50,60', '--duration', '2s'],
  );
  await until(() => texts.stderr.includes('50 requests/s: '));
  child.kill('SIGINT');
  const { status, stdout } = await ended;
  assert.equal(status, 130);
  assert.match(stdout, /^Interrupted: the loads below are complete\.$/m);
  assert.match(stdout, /^50 /m);
  assert.doesNotMatch(stdout, /^60 /m);
});

test('what contradicts itself is refused in a sentence', async () => {
  const url = ['--url', 'http://127.0.0.1:9'];
  for (const [args, sentence] of [
    [['sweep', ...url], 'needs loads: give --rates'],
    [['sweep', ...url, '--rates', '1', '--concurrencies', '1'], 'are two sweeps'],
    [['sweep', ...url, '--rates', '1,x'], '--rates'],
    [['sweep', ...url, '--rates', '4:1:1'], 'FROM:TO:STEP'],
    [['sweep', ...url, '--rates', '1', '--request-rate', '3'], 'chooses the load itself'],
    [['saturate', ...url, '--dataset-name', 'multi-round-qa'], 'wait for no response'],
    [['serve', ...url, '--slo', 'ttft'], '--slo ttft must be ttft, tpot or e2el'],
    [['serve', ...url, '--slo', 'ttft=1', '--users', '3'], 'chooses the load itself'],
    [['sweep', ...url, '--slo', 'ttft=1', '--slo-share', '150%'], 'share such as 5%'],
  ] as const) {
    const { status, stderr } = await run(...args);
    assert.equal(status, 2, `${args.join(' ')}: ${stderr}`);
    assert.ok(stderr.includes(sentence), `${args.join(' ')}: ${stderr}`);
    assert.doesNotMatch(stderr, /\n\s+at /);
  }
});

test('a soak has windows, trends and the memory of the server', async (t) => {
  const { status, stdout, stderr } = await run(
    ...['soak', '--url', await fleetUrl(t), ...small, '--users', '2', '--duration', '4s'],
    ...['--window', '300ms', '--drift', '99%', '--json'],
  );
  const result = JSON.parse(stdout);
  assert.ok(result.windows.length >= 9, stderr);
  assert.ok(['stable', 'drifts'].includes(result.verdict));
  assert.equal(status, result.verdict === 'stable' ? 0 : 1);
  assert.equal(result.window_seconds, 0.3);
  assert.ok(result.windows.some((window: { completed: number }) => window.completed > 0));
  assert.deepEqual(
    result.trends.map((trend: { figure: string }) => trend.figure).includes('failed'),
    true,
  );
});

test('a soak without a load or with an end by number is refused', async () => {
  const none = await run('soak', '--url', 'http://127.0.0.1:9');
  assert.equal(none.status, 2);
  assert.match(none.stderr, /needs a load: give --request-rate or --users/);
  const number = await run(
    'soak',
    '--url',
    'http://127.0.0.1:9',
    '--users',
    '1',
    '--num-prompts',
    '3',
  );
  assert.equal(number.status, 2);
  assert.match(number.stderr, /give --duration instead of --num-prompts/);
});
