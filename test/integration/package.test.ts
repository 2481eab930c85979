// The published form of the program: the launcher with the bundle beside it, without the sources.
// The lane "pack" does the same with the tarball, installed from the registry.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { version } from '../../src/core/base/index.ts';
import { UpProcess } from '../support/up-process.ts';

const run = promisify(execFile);
const root = join(import.meta.dirname, '..', '..');

test('the bundle runs without the sources: version, engines, router and page', async (context) => {
  const folder = await mkdtemp(join(tmpdir(), 'package-'));
  context.after(() => rm(folder, { recursive: true }));
  for (const name of ['bin', 'package.json']) {
    await cp(join(root, name), join(folder, name), { recursive: true });
  }
  await symlink(join(root, 'node_modules'), join(folder, 'node_modules'));
  const build = ['scripts/build.ts', '--out', join(folder, 'dist')];
  await run(process.execPath, build, { cwd: root });
  const launcher = join(folder, 'bin', 'spillway.mjs');
  const { stdout } = await run(process.execPath, [launcher, '--version']);
  assert.equal(stdout, `${version}\n`);

  const up = await UpProcess.start(['--engines', '1'], {
    command: [process.execPath, launcher, 'up'],
    cwd: folder,
  });
  context.after(() => up.end('SIGKILL'));
  await up.ready();
  const page = await fetch(`${up.url}/`);
  assert.match(await page.text(), /<title>Spillway<\/title>/);
  assert.equal(await up.end(), 0);
});

test('a clone without its libraries says in one sentence what to run', async (context) => {
  const folder = await mkdtemp(join(tmpdir(), 'clone-'));
  context.after(() => rm(folder, { recursive: true }));
  await cp(join(root, 'bin'), join(folder, 'bin'), { recursive: true });
  await mkdir(join(folder, 'src', 'cli'), { recursive: true });
  await writeFile(join(folder, 'src', 'cli', 'main.ts'), "import 'commander';\n");
  const failed = await run(process.execPath, [join(folder, 'bin', 'spillway.mjs'), 'status']).catch(
    (error: { readonly code: number; readonly stderr: string }) => error,
  );
  assert.ok('code' in failed);
  assert.equal(failed.code, 1);
  assert.match(failed.stderr, /^spillway: the libraries .* run "npm ci" in [^\n]+\n$/);
});
