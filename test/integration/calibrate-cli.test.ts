// `spillway calibrate` as a person runs it at a terminal: what Ctrl-C leaves behind.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
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

test('Ctrl-C while a live engine is watched ends with 130, at once, and leaves no profile', async () => {
  const out = join(directory, 'profile.json');
  const started = performance.now();
  const ended = await calibrate(['--window', '600', '--interval', '300', '--out', out], (kill) =>
    setTimeout(kill, 100),
  );
  assert.deepEqual(ended, { code: 130, out: '', errors: 'interrupted: nothing was written\n' });
  assert.deepEqual(readdirSync(directory), []);
  assert.ok(performance.now() - started < 60_000);
});

test('Ctrl-C while a reading is on its way is no complaint about the engine', async () => {
  const ended = await calibrate(['--window', '600', '--interval', '0.01'], (kill) => kill());
  assert.deepEqual(ended, { code: 130, out: '', errors: 'interrupted: nothing was written\n' });
});

test('a folder that is not there is told before the engine is watched', async () => {
  let readings = 0;
  const out = join(directory, 'nowhere', 'profile.json');
  const { code, errors } = await calibrate(['--window', '600', '--out', out], () => readings++);
  assert.deepEqual([code, readings], [2, 0]);
  assert.match(
    errors,
    /^spillway: Cannot write the profile to .*: there is no folder .*nowhere\.\n$/,
  );
});
