import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { readBounded } from './index.ts';

test('a file up to the bound is read; of a larger one, and of one without an end, nothing is', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'spillway-read-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'file');
  for (const bytes of [0, 1, 99_999, 100_000]) {
    writeFileSync(path, Buffer.alloc(bytes, 'x'));
    assert.equal((await readBounded(path, 100_000))?.length, bytes);
  }
  writeFileSync(path, Buffer.alloc(100_001));
  assert.equal(await readBounded(path, 100_000), undefined);
  truncateSync(path, 2 ** 40);
  assert.equal(await readBounded(path, 100_000), undefined, 'a terabyte with holes');
  assert.equal(await readBounded('/dev/zero', 100_000), undefined);
  assert.equal((await readBounded('/dev/null', 100_000))?.length, 0);
  await assert.rejects(readBounded(join(folder, 'none'), 1), { code: 'ENOENT' });
  await assert.rejects(readBounded(folder, 1), { code: 'EISDIR' });
});

test('a pipe that takes the place of a followed file keeps nothing waiting', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'spillway-read-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'pipe');
  execFileSync('mkfifo', [path]);
  assert.equal((await readBounded(path, 100, false))?.length, 0);
  const writer = await open(path, 'r+');
  await assert.rejects(readBounded(path, 100, false), { code: 'EAGAIN' });
  await writer.write('text');
  const text = readBounded(path, 100);
  await writer.close();
  assert.equal((await text)?.toString(), 'text');
});
