// An image of the chart goes from a registry through a mirror into containerd.
import assert from 'node:assert/strict';
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { freePorts } from '../../../src/io/processes/index.ts';
import { until } from '../../support/until.ts';

const { DOCKER_REGISTRY = '', HELM = '' } = process.env;
const image = 'docker.io/library/spillway:test';
const children: ChildProcess[] = [];
let folder = '';
let origin = '';
let mirror = '';

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'spillway-mirror-'));
  const [first = 0, second = 0] = await freePorts(2);
  origin = `http://127.0.0.1:${first}`;
  mirror = `http://127.0.0.1:${second}`;
  await startRegistry('origin', first);
  await startRegistry('mirror', second, `proxy: {remoteurl: "${origin}"}\n`);
  await pushImage(`127.0.0.1:${first}/library/spillway:test`);
  await startContainerd();
});

after(async () => {
  for (const child of children) child.kill('SIGTERM');
  const ended = children.map(
    (child) => child.exitCode ?? new Promise((end) => child.on('exit', end)),
  );
  await Promise.all(ended);
  await rm(folder, { recursive: true, force: true, maxRetries: 5 });
});

test('a mirror keeps what is downloaded through it', async () => {
  assert.deepEqual(await blobs('mirror'), []);
  const { status, text } = await images(['--mirror', mirror, '--preload', 'mirror']);
  assert.equal(status, 0, text);
  assert.match(text, /^✓ docker\.io\/library\/spillway:test: sha256:\w{12}; 2\.9 MiB loaded; Dep/m);
  // The manifest, the configuration and the layer.
  await until(async () => (await blobs('mirror')).length === 3);
});

test('containerd pulls through the mirror that its hosts.toml names', async () => {
  const certs = join(folder, 'certs.d');
  const flags = ['--mirror', mirror, '--containerd', certs, '--preload', 'containerd'];
  const { status, text } = await images(flags);
  assert.equal(status, 0, text);
  assert.ok(text.includes(`wrote ${join(certs, 'docker.io', 'hosts.toml')}`), text);
  const list = await execute('ctr', ['-a', socket(), '-n', 'k8s.io', 'images', 'list', '-q']);
  assert.ok(list.text.split('\n').includes(image), list.text);
});

test('a tag that the mirror and its registry lack is a failure', async () => {
  const { status, text } = await images(['--mirror', mirror], 'none');
  assert.equal(status, 1, text);
  assert.match(text, /^✗ docker\.io\/library\/spillway:none: it does not have it/m);
});

function images(flags: readonly string[], tag = 'test') {
  const args = ['--helm', HELM, '--set-string', `spillway.image.tag=${tag}`, ...flags];
  return execute(process.execPath, ['bin/spillway.mjs', 'images', ...args]);
}

function execute(program: string, args: readonly string[]) {
  const env = { ...process.env, CONTAINERD_ADDRESS: socket(), CONTAINERD_SNAPSHOTTER: 'native' };
  return new Promise<{ readonly status: number; readonly text: string }>((resolve) => {
    execFile(program, [...args], { timeout: 60_000, env }, (error, stdout, stderr) => {
      resolve({ status: error === null ? 0 : Number(error.code ?? 1), text: stdout + stderr });
    });
  });
}

function socket(): string {
  return join(folder, 'containerd.sock');
}

async function startRegistry(name: string, port: number, further = ''): Promise<void> {
  const root = join(folder, name);
  await mkdir(root);
  const file = join(folder, `${name}.yml`);
  await writeFile(
    file,
    `version: 0.1
log: {level: error}
storage: {filesystem: {rootdirectory: "${root}"}}
http: {addr: "127.0.0.1:${port}"}
${further}`,
  );
  start(DOCKER_REGISTRY, ['serve', file]);
  await until(async () => {
    const response = await fetch(`http://127.0.0.1:${port}/v2/`).catch(() => undefined);
    return response?.ok === true;
  });
}

/** An image of one layer of 3 MB, which do not compress. */
async function pushImage(target: string): Promise<void> {
  await writeFile(join(folder, 'content'), randomBytes(3_000_000));
  await writeFile(join(folder, 'Dockerfile'), 'FROM scratch\nCOPY content /\n');
  const store = ['--root', join(folder, 'b'), '--runroot', join(folder, 'r')];
  const common = [...store, '--storage-driver', 'vfs'];
  for (const args of [
    ['build', '--isolation', 'chroot', '-t', 'spillway:test', folder],
    ['push', '--tls-verify=false', 'spillway:test', `docker://${target}`],
  ]) {
    const { status, text } = await execute('buildah', [...common, ...args]);
    assert.equal(status, 0, text);
  }
}

async function startContainerd(): Promise<void> {
  const file = join(folder, 'containerd.toml');
  await writeFile(
    file,
    `version = 2
root = "${join(folder, 'root')}"
state = "${join(folder, 'state')}"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
  address = "${socket()}"
`,
  );
  start('containerd', ['--config', file]);
  await until(async () => (await execute('ctr', ['-a', socket(), 'version'])).status === 0);
}

function start(program: string, args: readonly string[]): void {
  children.push(spawn(program, [...args], { stdio: 'ignore' }));
}

async function blobs(name: string): Promise<readonly string[]> {
  const files = await readdir(join(folder, name), { recursive: true });
  return files.filter((file) => file.endsWith('/data'));
}
