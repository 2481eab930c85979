import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { readProfileDirectory } from './index.ts';

const tables = {
  'attention.csv': 'prefill_chunk,kv_prefill,n_decode,kv_decode,time_us\n0,0,1,16,9\n',
  'dense.csv': 'layer,tokens,time_us\nmlp,1,5\n',
  'per_sequence.csv': 'layer,sequences,time_us\nsampler,1,7\n',
};

test('reads a profile from plain and compressed tables, and names a missing or invalid one', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'spillway-profile-'));
  t.after(() => rm(directory, { recursive: true }));
  await assert.rejects(readProfileDirectory(directory), /has neither attention.csv nor/);
  await writeFile(join(directory, 'attention.csv'), tables['attention.csv']);
  await writeFile(join(directory, 'dense.csv.gz'), gzipSync(tables['dense.csv']));
  await writeFile(join(directory, 'per_sequence.csv'), tables['per_sequence.csv']);
  const profile = await readProfileDirectory(directory);
  assert.deepEqual([...profile.dense.keys()], ['mlp']);
  assert.equal(profile.experts, undefined);
  await writeFile(join(directory, 'moe.csv.gz'), 'not compressed');
  await assert.rejects(readProfileDirectory(directory), /moe.csv.gz is not a gzip file/);
});
