// The two commands of the README in a new copy, with Node 20 and nothing installed.
import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { environmentWith, nodeFolder } from '../../support/node-versions.ts';
import { isAlive, UpProcess } from '../../support/up-process.ts';

const run = promisify(execFile);
const root = join(import.meta.dirname, '..', '..', '..');
/** A second start installs nothing; the bound allows for a busy machine. */
const secondStartSecondsMax = 60;

let copy: string;
let env: NodeJS.ProcessEnv;

before(async () => {
  env = environmentWith(await nodeFolder('20.20.2'));
  copy = await mkdtemp(join(tmpdir(), 'fresh-'));
  const files = 'git ls-files -z --cached --others --exclude-standard';
  const script = `${files} | tar --null --files-from=- -cf - | tar -xf - -C "$1"`;
  execFileSync('sh', ['-c', script, 'sh', copy], { cwd: root });
});

after(() => rm(copy, { recursive: true, force: true }));

test('npm start installs what is missing, says so, and serves', async () => {
  await writeFile(join(copy, 'my.yaml'), 'routerSpec: {routingLogic: roundrobin}\n');
  const up = await npmStart(['--engines', '1', '--preset', 'laptop', '-f', 'my.yaml']);
  await up.ready();
  assert.match(up.stderr, /installing dependencies/);
  assert.match(up.stderr, /bringing Node 24/);
  const view = (await (await fetch(`${up.url}/debug/router`)).json()) as { policy: string };
  assert.equal(view.policy, 'roundrobin');
  const page = await fetch(`${up.url}/`);
  assert.match(await page.text(), /<title>Spillway<\/title>/);
  await up.end('SIGINT');
});

test('a second npm start installs nothing and is fast', async () => {
  const startedAt = performance.now();
  const up = await npmStart([]);
  await up.ready();
  const seconds = (performance.now() - startedAt) / 1000;
  process.stderr.write(`second npm start: ready in ${seconds.toFixed(1)} s\n`);
  assert.doesNotMatch(up.stderr, /installing|bringing|built/);
  assert.ok(seconds < secondStartSecondsMax, `${seconds} s`);
  await up.end('SIGINT');
});

test('npm test runs tests', async () => {
  const { stdout } = await run('npm', ['test', '--', 'src/core/base/base.test.ts'], {
    cwd: copy,
    env,
  });
  assert.match(stdout, /pass [1-9]/);
});

test('the spillway command of a clone finds the newer Node by itself', async () => {
  const { stdout } = await run('node', ['bin/spillway.mjs', '--version'], { cwd: copy, env });
  assert.match(stdout, /^\d+\.\d+\.\d+\n$/);
});

test('one Ctrl-C in a terminal is one SIGINT to each program', async () => {
  const file = join('test', 'integration', 'terminal-signals.test.ts');
  const newer = process.execPath;
  const { stdout } = await run(newer, ['--test', '--test-reporter=tap', file], { cwd: copy, env });
  assert.match(stdout, /^# fail 0$/m);
  assert.match(stdout, /^# skipped 0$/m);
});

test('when the launcher is killed, the stack that it started ends too', async () => {
  const up = await UpProcess.start(['--engines', '1', '--json'], {
    command: ['node', 'bin/spillway.mjs', 'up'],
    cwd: copy,
    env,
  });
  await up.ready();
  const pids = [...up.pids.values()];
  await up.killOnlyFirst();
  await up.until(() => !pids.some(isAlive));
});

function npmStart(flags: readonly string[]): Promise<UpProcess> {
  return UpProcess.start(flags, { command: ['npm', 'start', '--'], cwd: copy, env });
}
