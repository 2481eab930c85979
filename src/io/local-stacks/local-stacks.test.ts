import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { announceStack, localStacks } from './index.ts';

/** Makes an empty folder the one of this user's running programs, until the test ends. */
function runtimeFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'stacks-'));
  const before = process.env['XDG_RUNTIME_DIR'];
  process.env['XDG_RUNTIME_DIR'] = folder;
  t.after(() => {
    if (before === undefined) delete process.env['XDG_RUNTIME_DIR'];
    else process.env['XDG_RUNTIME_DIR'] = before;
    rmSync(folder, { recursive: true });
  });
  return folder;
}

const addresses = {
  router: 'http://h:1/v1',
  page: 'http://h:1/',
  prometheus: undefined,
  certificate: undefined,
};

test('a stack is found from its announcement to its end', (t) => {
  runtimeFolder(t);
  assert.deepEqual(localStacks(), []);
  const end = announceStack(addresses);
  assert.deepEqual(localStacks(), [{ pid: process.pid, ...addresses }]);
  end();
  assert.deepEqual(localStacks(), []);
});

test('what a killed program left is removed, and other files are not stacks', (t) => {
  const folder = runtimeFolder(t);
  announceStack(addresses)();
  const [own] = readdirSync(folder) as [string];
  // No process has this number: Linux ends at 4,194,304.
  writeFileSync(join(folder, own, 'up-4999999.json'), JSON.stringify(addresses));
  writeFileSync(join(folder, own, 'notes.txt'), '');
  writeFileSync(join(folder, own, `up-${process.pid}.json`), '{"router":');
  assert.deepEqual(localStacks(), []);
  assert.deepEqual(readdirSync(join(folder, own)).sort(), ['notes.txt', `up-${process.pid}.json`]);
});

test('a folder that cannot be made is no error', (t) => {
  const folder = runtimeFolder(t);
  process.env['XDG_RUNTIME_DIR'] = join(folder, 'file');
  writeFileSync(join(folder, 'file'), '');
  announceStack(addresses)();
  assert.deepEqual(localStacks(), []);
});
