import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { InputError } from '../../core/base/index.ts';
import { datasetRows } from './dataset-files.ts';

test('the files of a folder count with their size after decompression', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'spillway-dataset-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const rows = `{"prompt":"a"}${' '.repeat(600 << 10)}\n`;
  writeFileSync(join(folder, '0.jsonl.gz'), gzipSync(rows));
  assert.equal((await datasetRows(folder, {}, 1 << 20)).length, 1);
  for (const file of ['1.jsonl.gz', '1.jsonl']) {
    writeFileSync(join(folder, file), file.endsWith('.gz') ? gzipSync(rows) : rows);
    await assert.rejects(
      datasetRows(folder, {}, 1 << 20),
      (error: unknown) =>
        error instanceof InputError &&
        /is larger than 1 MiB; give a part of it/.test(error.message),
      file,
    );
    rmSync(join(folder, file));
  }
});
