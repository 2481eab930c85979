import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { openSharedKey } from './index.ts';

const log = { info() {}, warning() {} };
const open = (key: string | undefined, path?: string) =>
  openSharedKey({ key, path, flag: '--peers-key-file', variable: 'PEERS_KEY', log });

test('the first key of a file is sent, and all of them are accepted', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'spillway-shared-key-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'keys');
  writeFileSync(path, '# from today on\nnew\nold\n');
  const shared = await open(undefined, path);
  assert.equal(shared?.current, 'new');
  const given = ['new', 'old', 'other', ''];
  assert.deepEqual(
    given.map((key) => shared?.isRight(key)),
    [true, true, false, false],
  );
  await assert.rejects(
    open('k', path),
    /^InputError: --peers-key-file and PEERS_KEY exclude each other: give one of them\.$/,
  );
});

test('a key of the environment is sent and accepted; one with a space is refused', async () => {
  const shared = await open('k');
  assert.deepEqual(
    [shared?.current, shared?.isRight('k'), shared?.isRight('K')],
    ['k', true, false],
  );
  assert.equal(await open(undefined), undefined);
  await assert.rejects(open('hush hush'), (error: Error) => {
    assert.match(error.message, /^PEERS_KEY may contain only visible ASCII characters/);
    return !error.message.includes('hush');
  });
});
