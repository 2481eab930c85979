import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
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
