import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { readUsersFile } from './users-file.ts';

function file(t: TestContext, text: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'spillway-users-'));
  t.after(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, 'secret'), 'of a file\n');
  const path = join(folder, 'users.yaml');
  writeFileSync(path, text.replaceAll('SECRET', join(folder, 'secret')));
  return path;
}

const environment = (variable: string) => (variable === 'ALICE' ? 'of alice' : undefined);

test('users have passwords of their own, and a key space, a bound, or the shared keys', (t) => {
  const path = file(
    t,
    `users:
  - {name: alice, passwordEnv: ALICE}
  - {name: bob, passwordFile: SECRET, tenant: team-a}
  - {name: carol, passwordEnv: ALICE, tenant: qwen}
  - {name: dave, passwordEnv: ALICE, tenant: default}
tenants:
  - {name: team-a, memory: 4GiB}
  - {name: qwen, prefix: Qwen/Qwen3-8B@2, memory: 64MiB}
`,
  );
  const { users, tenants } = readUsersFile(path, environment);
  assert.deepEqual(users, [
    { name: 'alice', password: 'of alice', space: 'alice' },
    { name: 'bob', password: 'of a file', space: 'team-a' },
    { name: 'carol', password: 'of alice', space: '' },
    { name: 'dave', password: 'of alice', space: '' },
  ]);
  assert.deepEqual(tenants, [
    { name: 'team-a', memory: '4GiB', bytesMax: 2 ** 32 },
    { name: 'qwen', prefix: 'Qwen/Qwen3-8B@2', memory: '64MiB', bytesMax: 64 << 20 },
    { name: 'alice' },
  ]);
});

for (const [text, message] of [
  ['users: [{name: a}]', /users\[0\] must have either passwordEnv or passwordFile/],
  ['users: [{name: a, passwordEnv: NOTHING}]', /users\[0\]\.passwordEnv: the environment has no/],
  ['users: [{name: a, passwordFile: /nowhere}]', /passwordFile: \/nowhere cannot be read: no such/],
  ['users: [{name: a, password: x}]', /password/],
  ['users: [{name: default, passwordEnv: ALICE}]', /users\[0\]\.name is "default", whose password/],
  ['users: [{name: a b, passwordEnv: ALICE}]', /name/],
  ['tenants: [{name: a}, {name: a}]', /two tenants have the name "a"/],
  ['tenants: [{name: a, memory: much}]', /tenants\[0\]\.memory is "much"\. It must be/],
] as const) {
  test(`refused with the place and the reason: ${text}`, (t) => {
    assert.throws(() => readUsersFile(file(t, text), environment), message);
  });
}

test('a file that is not there is refused by name', () => {
  assert.throws(() => readUsersFile('/nowhere.yaml'), /--users \/nowhere\.yaml cannot be read/);
});
