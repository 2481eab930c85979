// `--run-dir`, `spillway results` and `spillway report` as a user runs them.
import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { startFleet } from '../support/fleet.ts';
import { scriptedOpenai } from '../support/scripted-openai.ts';

const directory = mkdtempSync(join(tmpdir(), 'spillway-bench-runs-'));
after(() => rmSync(directory, { recursive: true }));

function run(...args: readonly string[]) {
  return new Promise<{ status: number; stdout: string; stderr: string }>((resolve) => {
    execFile(process.execPath, ['bin/spillway.mjs', ...args], (error, stdout, stderr) =>
      resolve({ status: error === null ? 0 : Number(error.code), stdout, stderr }),
    );
  });
}

test('runs are kept in folders, listed, and shown on a page', async (t) => {
  const server = await scriptedOpenai({ gapMs: 1 });
  t.after(() => server.close());
  const runs = join(directory, 'runs');
  const csv = join(directory, 'requests.csv');
  const load = [
    '--url',
    server.url,
    '--random-input-len',
    '30',
    '--random-output-len',
    '4',
    '--num-warmups',
    '0',
  ];
  const serve = await run(
    ...['bench', 'serve', ...load, '--num-prompts', '5', '--api-key', 'sk-secret'],
    ...[
      '--run-dir',
      runs,
      '--label',
      'first',
      '--csv',
      csv,
      '--html',
      join(directory, 'page.html'),
    ],
  );
  assert.equal(serve.status, 0, serve.stderr);
  assert.match(serve.stderr, /^The run is in .*bench-serve-first\.$/m);
  // Lines of a table that wrap are no table on a narrow screen.
  assert.match(
    readFileSync(join(directory, 'page.html'), 'utf8'),
    /<pre class="table" tabindex="0">5 of 5 requests completed/,
  );
  const sweep = await run(
    ...[
      'bench',
      'sweep',
      ...load,
      '--num-prompts',
      '4',
      '--concurrencies',
      '1,2',
      '--run-dir',
      runs,
    ],
  );
  assert.equal(sweep.status, 0, sweep.stderr);

  const names = readdirSync(runs);
  assert.equal(names.length, 2);
  const folder = join(runs, names.find((name) => name.includes('first')) ?? '');
  const header = JSON.parse(readFileSync(join(folder, 'run.json'), 'utf8'));
  assert.deepEqual([header.command, header.status], ['bench serve', 0]);
  assert.ok(!JSON.stringify(header).includes('sk-secret'), 'keys are not kept');
  assert.equal(JSON.parse(readFileSync(join(folder, 'result.json'), 'utf8')).completed, 5);
  assert.ok(JSON.parse(readFileSync(join(folder, 'environment.json'), 'utf8')).node);
  assert.equal(readFileSync(join(folder, 'events.jsonl'), 'utf8').match(/"response"/g)?.length, 5);
  assert.match(readFileSync(join(directory, 'page.html'), 'utf8'), /<h1>first<\/h1>[\s\S]*<svg /);
  assert.equal(readFileSync(csv, 'utf8').trim().split('\n').length, 6);

  const results = await run('results', runs);
  assert.equal(results.status, 0, results.stderr);
  assert.match(results.stdout, /bench serve +first +0 +5 +0 /);
  assert.match(results.stdout, /bench sweep .*knee at [12] users?$/m);
  const json = JSON.parse((await run('results', runs, '--json')).stdout);
  assert.deepEqual(json.runs.map(({ command }: { command: string }) => command).sort(), [
    'bench serve',
    'bench sweep',
  ]);

  const report = await run('report', runs);
  assert.equal(report.status, 0, report.stderr);
  assert.ok(existsSync(join(runs, 'report.html')));
  assert.match(readFileSync(join(runs, 'report.html'), 'utf8'), /<h1>2 runs<\/h1>/);
});

test('a run whose server cannot be reached leaves no folder', async () => {
  const runs = join(directory, 'unreached');
  for (const command of [['serve', '--num-prompts', '1'], ['saturate'], ['soak', '--users', '1']]) {
    const failed = await run('bench', ...command, '--url', 'http://127.0.0.1:1', '--run-dir', runs);
    assert.equal(failed.status, 4, failed.stderr);
    assert.deepEqual(readdirSync(runs), []);
  }
});

test('commands that fail leave the results of earlier runs as they were', async () => {
  const kept = ['a.json', 'b.csv', 'c.html', 'd.json', 'e.json'].map((name) =>
    join(directory, name),
  );
  const [result, csv, html, compared, claimed] = kept as [string, string, string, string, string];
  for (const file of kept) writeFileSync(file, 'precious');
  const gone = 'http://127.0.0.1:1';
  const outputs = ['--json', result, '--csv', csv, '--html', html];
  const ended = await Promise.all([
    run('bench', 'serve', '--base-url', gone, '--num-prompts', '2', ...outputs),
    run('compare', join(directory, 'no1.json'), join(directory, 'no2.json'), '--json', compared),
    run('claims', '--with', gone, '--without', gone, '--json', claimed),
  ]);
  for (const { status, stderr } of ended) assert.notEqual(status, 0, stderr);
  for (const file of kept) assert.equal(readFileSync(file, 'utf8'), 'precious', file);
});

const mountsTmpfs = process.platform === 'linux' && process.getuid?.() === 0;

test('a run on a full disk keeps its result, and says which events are lost', {
  skip: !mountsTmpfs && 'only root on Linux can mount a small disk',
}, async (t) => {
  const server = await scriptedOpenai({ gapMs: 1 });
  t.after(() => server.close());
  const disk = join(directory, 'disk');
  mkdirSync(disk);
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', disk]);
  if (mounted.status !== 0) return t.skip('this container cannot mount a small disk');
  t.after(() => spawnSync('umount', [disk]));
  const { status, stderr } = await run(
    ...['bench', 'serve', '--url', server.url, '--num-prompts', '400', '--run-dir', disk],
    ...['--random-input-len', '20', '--random-output-len', '2', '--num-warmups', '0'],
  );
  assert.equal(status, 0, stderr);
  assert.match(
    stderr,
    /^spillway: events\.jsonl lacks [\d,]+ events of the run: the disk is full\.$/m,
  );
  const folder = join(disk, readdirSync(disk)[0] ?? '');
  const fileOf = (name: string) => JSON.parse(readFileSync(join(folder, name), 'utf8'));
  assert.equal(fileOf('result.json').completed, 400);
  assert.ok(fileOf('run.json').dropped_events > 0);
});

test('a run on a disk that is full from the start is refused, and leaves no folder', {
  skip: !mountsTmpfs && 'only root on Linux can mount a small disk',
}, async (t) => {
  const server = await scriptedOpenai({ gapMs: 1 });
  t.after(() => server.close());
  const disk = join(directory, 'full-disk');
  mkdirSync(disk);
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=16k', 'tmpfs', disk]);
  if (mounted.status !== 0) return t.skip('this container cannot mount a small disk');
  t.after(() => spawnSync('umount', [disk]));
  writeFileSync(join(disk, 'other'), Buffer.alloc(16 * 1024));
  const { status, stderr } = await run(
    ...['bench', 'serve', '--url', server.url, '--num-prompts', '4', '--run-dir', disk],
  );
  assert.equal(status, 2, stderr);
  assert.match(stderr, /^spillway: Cannot write the run to .*: the disk is full\.\n$/);
  assert.deepEqual(readdirSync(disk), ['other']);
  assert.equal(server.requests.length, 0);
});

test('folders without runs are refused in a sentence', async () => {
  const missing = await run('results', join(directory, 'none'));
  assert.equal(missing.status, 2);
  assert.match(
    missing.stderr,
    /Cannot read .*none: no such file or folder; check the path\. Benchmarks write .* --run-dir/m,
  );
  const empty = await run('report', directory);
  assert.equal(empty.status, 2);
  assert.match(empty.stderr, /no runs there\. Write some with --run-dir/);
});

test('the same requests are simulated on the stack of a values file', async (t) => {
  const fleet = await startFleet(t, { engines: 1, policy: 'roundrobin', model: 'Qwen/Qwen3-8B' });
  const values = join(directory, 'values.yaml');
  writeFileSync(
    values,
    [
      'servingEngineSpec:',
      '  modelSpec:',
      '    - name: qwen',
      '      modelURL: Qwen/Qwen3-8B',
      '      replicaCount: 1',
      '      requestGPU: 1',
      '      vllmConfig: { maxModelLen: 8192 }',
      'routerSpec: { routingLogic: roundrobin }',
      '',
    ].join('\n'),
  );
  const load = [
    '--url',
    fleet.url,
    '--random-input-len',
    '64',
    '--random-output-len',
    '8',
    '--num-prompts',
    '12',
  ];
  for (const loop of [
    ['--request-rate', '20'],
    ['--users', '3'],
  ]) {
    const both = ['bench', 'serve', ...load, ...loop, '--beside-simulation', values];
    const { status, stdout, stderr } = await run(...both, '--json');
    assert.equal(status, 0, stderr);
    const { measured, simulated } = JSON.parse(stdout).beside_simulation;
    assert.ok(simulated.mean_tpot_ms > 1 && simulated.request_throughput > 0, stdout);
    assert.ok(measured.mean_tpot_ms > 0 && measured.mean_e2el_ms > measured.mean_ttft_ms);
  }
  const endless = await run(
    ...['bench', 'serve', '--url', fleet.url, '--request-rate', '5', '--duration', '5s'],
    ...['--beside-simulation', values],
  );
  assert.equal(endless.status, 2);
  assert.match(endless.stderr, /--duration ends cannot be simulated: give --num-prompts/);
});
