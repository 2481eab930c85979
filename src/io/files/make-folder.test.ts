import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { makeFolder } from './output.ts';

const directory = mkdtempSync(join(tmpdir(), 'spillway-folder-'));
after(() => rmSync(directory, { recursive: true }));

test('folders above are made, and one that exists is no error', async () => {
  const path = join(directory, 'a/b/c');
  await makeFolder(path);
  await makeFolder(path);
  assert.ok(statSync(path).isDirectory());
});

test('a place where none can be made is an error, not a wait without end', {
  skip: process.platform !== 'linux' && 'only Linux has /proc',
}, async () => {
  await assert.rejects(makeFolder('/proc/spillway/runs'), /ENOENT/);
});

test('a file in the way is an error', async () => {
  writeFileSync(join(directory, 'file'), '');
  await assert.rejects(makeFolder(join(directory, 'file/runs')), /ENOTDIR/);
});
