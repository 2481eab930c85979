// Logins that Docker and Podman have saved.
import assert from 'node:assert/strict';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { registryLogin } from './registry-login.ts';

const auth = (text: string) => ({ auth: Buffer.from(text).toString('base64') });

/** A home with these files of Docker and Podman. */
async function home(t: TestContext, docker: unknown, podman?: unknown) {
  const folder = await mkdtemp(join(tmpdir(), 'spillway-login-test-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  await mkdir(join(folder, '.docker'));
  await mkdir(join(folder, 'containers'));
  const text = typeof docker === 'string' ? docker : JSON.stringify(docker);
  await writeFile(join(folder, '.docker', 'config.json'), text);
  if (podman !== undefined) {
    await writeFile(join(folder, 'containers', 'auth.json'), JSON.stringify(podman));
  }
  return { HOME: folder, XDG_RUNTIME_DIR: folder, PATH: process.env['PATH'] };
}

test('a login is that of the host, with its port; a password may contain colons', async (t) => {
  const environment = await home(t, {
    auths: { 'm.example:5000': auth('ann:a:b'), 'https://index.docker.io/v1/': auth('bob:c') },
  });
  assert.deepEqual(await registryLogin('m.example:5000', environment), {
    ...{ user: 'ann', password: 'a:b' },
  });
  assert.equal(await registryLogin('m.example', environment), undefined);
  assert.equal((await registryLogin('docker.io', environment))?.user, 'bob');
});

test("Podman's file is read before Docker's, and a named one before both", async (t) => {
  const docker = { auths: { m: auth('docker:1'), n: auth('docker:2') } };
  const environment = await home(t, docker, { auths: { m: auth('podman:1') } });
  assert.equal((await registryLogin('m', environment))?.user, 'podman');
  assert.equal((await registryLogin('n', environment))?.user, 'docker');
  const named = join(environment.HOME, 'named.json');
  await writeFile(named, JSON.stringify({ auths: { m: auth('named:1') } }));
  const login = await registryLogin('m', { ...environment, REGISTRY_AUTH_FILE: named });
  assert.equal(login?.user, 'named');
});

test('a file that is no JSON, or has other things, has no login', async (t) => {
  for (const content of [
    '{',
    '[]',
    { auths: 7 },
    { auths: { m: {} } },
    { auths: { m: auth('x') } },
  ]) {
    assert.equal(await registryLogin('m', await home(t, content)), undefined);
  }
  assert.equal(await registryLogin('m', { HOME: '/nonexistent' }), undefined);
});

test('a credential helper is asked by its protocol', {
  skip: process.platform === 'win32' && 'a script for a POSIX shell',
}, async (t) => {
  const environment = await home(t, {
    ...{ credsStore: 'test-keys', auths: { m: {} } },
    credHelpers: { n: 'test-keys', o: '../test-keys' },
  });
  const script = `#!/bin/sh
[ "$1" = get ] || exit 1
read -r server || true
echo "{\\"Username\\": \\"of-$server\\", \\"Secret\\": \\"s\\"}"
`;
  const file = join(environment.HOME, 'docker-credential-test-keys');
  await writeFile(file, script);
  await chmod(file, 0o755);
  const PATH = `${environment.HOME}${delimiter}${environment.PATH}`;
  assert.equal((await registryLogin('m', { ...environment, PATH }))?.user, 'of-m');
  assert.equal((await registryLogin('n', { ...environment, PATH }))?.user, 'of-n');
  assert.equal(await registryLogin('o', { ...environment, PATH }), undefined);
  assert.equal(await registryLogin('m', environment), undefined);
});
