// The tarball of `npm pack`, installed in an empty folder.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import packageJson from '../../../package.json' with { type: 'json' };
import packageLock from '../../../package-lock.json' with { type: 'json' };
import { environmentWith, nodeFolder } from '../../support/node-versions.ts';
import { UpProcess } from '../../support/up-process.ts';

const run = promisify(execFile);
const root = join(import.meta.dirname, '..', '..', '..');
/** The oldest Node that package.json allows, and one that is too old. */
const leastNode = '22.19.0';
const oldNode = '20.20.2';

let folder: string;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pack-'));
  await run('npm', ['pack', '--silent', '--pack-destination', folder], { cwd: root });
  await writeFile(join(folder, 'package.json'), '{"private":true}');
  const tarball = join(folder, `spillway-${packageJson.version}.tgz`);
  await run('npm', ['install', '--no-audit', '--no-fund', '--omit=dev', tarball], { cwd: folder });
});

after(() => rm(folder, { recursive: true, force: true }));

test('the package contains no dev dependencies and no sources', () => {
  const installed = join(folder, 'node_modules', 'spillway');
  assert.ok(existsSync(join(installed, 'dist', 'web', 'index.html')));
  assert.ok(!existsSync(join(installed, 'src')));
  for (const name of Object.keys(packageJson.devDependencies)) {
    // A dependency may bring one: @kubernetes/client-node has types among what it installs.
    if (!isDevOnly(name)) continue;
    assert.ok(!existsSync(join(folder, 'node_modules', name)), name);
  }
});

function isDevOnly(name: string): boolean {
  const packages = new Map<string, object>(Object.entries(packageLock.packages));
  return 'dev' in (packages.get(`node_modules/${name}`) ?? {});
}

test('npx spillway up serves with the oldest supported Node', async (context) => {
  const env = environmentWith(await nodeFolder(leastNode));
  const { stdout } = await run('npx', ['spillway', '--version'], { cwd: folder, env });
  assert.equal(stdout.trim(), packageJson.version);
  const up = await UpProcess.start(['--engines', '1'], {
    command: ['npx', 'spillway', 'up'],
    cwd: folder,
    env,
  });
  context.after(() => up.end('SIGKILL'));
  await up.ready();
  const page = await fetch(`${up.url}/`);
  assert.match(await page.text(), /<title>Spillway<\/title>/);
  const answer = await fetch(`${up.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      model: 'Qwen/Qwen3-8B',
      messages: [{ role: 'user', content: 'Hello' }],
      max_tokens: 8,
    }),
  });
  assert.equal(answer.status, 200);
  await answer.arrayBuffer();
  await up.end('SIGINT');
  assert.match(up.stdout, /\nstopped\n$/);
  assert.doesNotMatch(up.stderr, /ExperimentalWarning/);
});

test('with a Node that is too old it says so in one sentence', async () => {
  const env = environmentWith(await nodeFolder(oldNode));
  const launcher = join('node_modules', '.bin', 'spillway');
  await assert.rejects(run('node', [launcher, 'up'], { cwd: folder, env }), {
    code: 1,
    stderr: `spillway: Node ${oldNode} is too old, 22.19 or newer is needed: install a newer one.\n`,
  });
});
