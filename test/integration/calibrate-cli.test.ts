// `spillway calibrate` as a person runs it at a terminal: what Ctrl-C leaves behind.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';

const directory = mkdtempSync(join(tmpdir(), 'spillway-calibrate-cli-'));
after(() => rmSync(directory, { recursive: true }));

const page = readFileSync(
  join(import.meta.dirname, '../../src/apps/engine/fixtures/metrics-offload-fresh.txt'),
  'utf8',
);

interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly errors: string;
}

/** Runs the command against an engine that answers `/metrics`; `onRead` hears of each reading. */
async function calibrate(args: readonly string[], onRead: (kill: () => void) => void) {
  let kill = () => {};
  const server = createServer((_, response) => {
    response.end(page);
    onRead(kill);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const flags = [
    '--model',
    'opt-125m',
    '--gpu',
    'CPU',
    '--metrics-url',
    `http://127.0.0.1:${port}`,
  ];
  const child = spawn(process.execPath, ['src/cli/main.ts', 'calibrate', ...flags, ...args]);
  kill = () => child.kill('SIGINT');
  let [out, errors] = ['', ''];
  child.stdout.on('data', (chunk) => {
    out += chunk;
  });
  child.stderr.on('data', (chunk) => {
    errors += chunk;
  });
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  server.closeAllConnections();
  server.close();
  return { code, out, errors } satisfies Ended;
}

test('Ctrl-C during the observation of a live engine exits with 130 at once, and leaves no profile', async () => {
  const out = join(directory, 'profile.json');
  const started = performance.now();
  const ended = await calibrate(['--window', '600s', '--interval', '300', '--out', out], (kill) =>
    setTimeout(kill, 100),
  );
  assert.deepEqual(ended, {
    code: 130,
    out: '',
    errors: 'spillway: interrupted; no profile was written.\n',
  });
  assert.deepEqual(readdirSync(directory), []);
  assert.ok(performance.now() - started < 60_000);
});

test('Ctrl-C during a reading is not reported as an error of the engine', async () => {
  const ended = await calibrate(['--window', '600s', '--interval', '0.01'], (kill) => kill());
  assert.deepEqual(ended, {
    code: 130,
    out: '',
    errors: 'spillway: interrupted; no profile was written.\n',
  });
});

test('reports a missing folder before the engine is observed', async () => {
  let readings = 0;
  const out = join(directory, 'nowhere', 'profile.json');
  const { code, errors } = await calibrate(['--window', '600s', '--out', out], () => readings++);
  assert.deepEqual([code, readings], [2, 0]);
  assert.match(
    errors,
    /^spillway: Cannot write the profile to .*: there is no folder .*nowhere\.\n$/,
  );
});

/** Four steps as the shipped constants predict them for an H100, and two that take nine times as long. */
function contradictingSteps(): string {
  const path = join(directory, 'steps.csv');
  const rows = [
    ...['0,0,1,500,6820', '0,0,2,500,6830', '0,0,3,500,6850', '0,0,4,500,6870'],
    ...['0,0,5,500,60000', '0,0,6,500,60000'],
  ];
  writeFileSync(
    path,
    ['prefill_tokens,prefill_context,decodes,decode_context,time_us', ...rows].join('\n'),
  );
  return path;
}

test('a profile that is worse than the shipped constants on held-out steps is written only with --force', async () => {
  const out = join(directory, 'worse.json');
  const flags = ['--model', 'Qwen3-8B', '--gpu', 'H100', '--steps', contradictingSteps()];
  const run = (...more: string[]) =>
    spawnSync(process.execPath, ['src/cli/main.ts', 'calibrate', ...flags, ...more], {
      encoding: 'utf8',
    });
  const refused = run('--out', out);
  assert.equal(refused.status, 1, refused.stderr);
  assert.match(refused.stdout, /^not seen /m);
  const sentence =
    /^spillway: The fit is worse than the shipped constants: on measurements that it did not see, its median error is [\d.,]+ % and theirs [\d.,]+ % \(90th percentile [\d.,]+ % and [\d.,]+ %\)\. Nothing was written; add measurements, or write it anyway with --force\.\n$/;
  assert.match(refused.stderr, sentence);
  assert.equal(existsSync(out), false);
  const asJson = run('--json');
  assert.deepEqual([asJson.status, asJson.stdout], [1, '']);
  const table = run();
  assert.deepEqual([table.status, table.stdout], [0, refused.stdout]);
  assert.match(
    table.stderr,
    /^spillway: The fit is worse than the shipped constants: .* --force\.\n$/,
  );
  const forced = run('--out', out, '--force');
  assert.equal(forced.status, 0, forced.stderr);
  assert.match(forced.stderr, /worse than the shipped constants/);
  assert.equal(JSON.parse(readFileSync(out, 'utf8')).gpu, 'H100-80GB');
});
