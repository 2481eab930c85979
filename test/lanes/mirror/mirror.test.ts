// An image of the chart goes from a registry through a mirror into containerd.
import assert from 'node:assert/strict';
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
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
/** The origin's images below a path, for those with a login. */
let guarded = '';
/** By bcrypt, as registries want it, so written down: "ann" with "no-secret". */
const htpasswd = 'ann:$2y$05$abcdefghijklmnopqrstuu5xbpIO49heffmkYPjkpvL/KBg34GVhq\n';

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'spillway-mirror-'));
  await writeFile(join(folder, 'config.json'), '{}');
  const [first = 0, second = 0, third = 0] = await freePorts(3);
  origin = `http://127.0.0.1:${first}`;
  mirror = `http://127.0.0.1:${second}`;
  guarded = `http://127.0.0.1:${third}/nexus`;
  await startRegistry('origin', first);
  await startRegistry('mirror', second, { further: `proxy: {remoteurl: "${origin}"}\n` });
  await pushImage(`127.0.0.1:${first}/library/spillway:test`);
  await pushImage(`127.0.0.1:${first}/library/spillway:guarded`);
  await pushImage(`127.0.0.1:${first}/docker.io/library/spillway:by-registry`);
  await writeFile(join(folder, 'htpasswd'), htpasswd);
  const further = `auth: {htpasswd: {realm: r, path: "${join(folder, 'htpasswd')}"}}\n`;
  await startRegistry('guarded', third, { further, prefix: '/nexus', root: 'origin' });
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

test('a mirror with a login and a path is used with the login that Docker has saved', async () => {
  const without = await images(['--mirror', guarded], 'guarded');
  assert.equal(without.status, 1, without.text);
  assert.match(
    without.text,
    /^✗ docker\.io\/library\/spillway:guarded: status 401, it wants a login/m,
  );
  const { host } = new URL(guarded);
  const auth = Buffer.from('ann:no-secret').toString('base64');
  const auths = { auths: { [host]: { auth } } };
  await writeFile(join(folder, 'config.json'), JSON.stringify(auths));
  const loaded = await images(['--mirror', guarded, '--preload', 'mirror', '--json'], 'guarded');
  assert.equal(loaded.status, 0, loaded.text);
  assert.match(loaded.text, /"bytes_loaded": 3\d{6}/);
  const pulled = await pullByContainerd(guarded, 'guarded');
  for (const text of [loaded.text, pulled])
    assert.ok(!text.includes(auth) && !text.includes('no-s'));
  const file = join(folder, 'certs-guarded', 'docker.io', 'hosts.toml');
  assert.ok((await readFile(file, 'utf8')).includes(auth));
  assert.equal((await stat(file)).mode & 0o777, 0o600);
});

test('a mirror with a path for each registry is asked below the path of the image', async () => {
  const byRegistry = `${origin}/v2/{registry}`;
  const { status, text } = await images(['--mirror', byRegistry], 'by-registry');
  assert.equal(status, 0, text);
  await pullByContainerd(byRegistry, 'by-registry');
});

test('a tag that the mirror and its registry lack is a failure', async () => {
  const { status, text } = await images(['--mirror', mirror], 'none');
  assert.equal(status, 1, text);
  assert.match(text, /^✗ docker\.io\/library\/spillway:none: it does not have it/m);
});

/** Pulls by hosts.toml, and returns what was printed. */
async function pullByContainerd(from: string, tag: string): Promise<string> {
  const certs = join(folder, `certs-${tag}`);
  const flags = ['--mirror', from, '--containerd', certs, '--preload', 'containerd'];
  const { status, text } = await images(flags, tag);
  assert.equal(status, 0, text);
  const list = await execute('ctr', ['-a', socket(), '-n', 'k8s.io', 'images', 'list', '-q']);
  assert.ok(list.text.split('\n').includes(`docker.io/library/spillway:${tag}`), list.text);
  return text;
}

function images(flags: readonly string[], tag = 'test') {
  const args = ['--helm', HELM, '--set-string', `spillway.image.tag=${tag}`, ...flags];
  return execute(process.execPath, ['bin/spillway.mjs', 'images', ...args]);
}

function execute(program: string, args: readonly string[]) {
  const env = {
    ...{ ...process.env, DOCKER_CONFIG: folder },
    ...{ CONTAINERD_ADDRESS: socket(), CONTAINERD_SNAPSHOTTER: 'native' },
  };
  return new Promise<{ readonly status: number; readonly text: string }>((resolve) => {
    execFile(program, [...args], { timeout: 60_000, env }, (error, stdout, stderr) => {
      resolve({ status: error === null ? 0 : Number(error.code ?? 1), text: stdout + stderr });
    });
  });
}

function socket(): string {
  return join(folder, 'containerd.sock');
}

async function startRegistry(
  name: string,
  port: number,
  { further = '', prefix = '', root: rootName = name } = {},
): Promise<void> {
  const root = join(folder, rootName);
  await mkdir(root, { recursive: true });
  const file = join(folder, `${name}.yml`);
  await writeFile(
    file,
    `version: 0.1
log: {level: error}
storage: {filesystem: {rootdirectory: "${root}"}}
http: {addr: "127.0.0.1:${port}", prefix: "${prefix}/"}
${further}`,
  );
  start(DOCKER_REGISTRY, ['serve', file]);
  await until(async () => {
    const response = await fetch(`http://127.0.0.1:${port}${prefix}/v2/`).catch(() => undefined);
    return response?.ok === true || response?.status === 401;
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
