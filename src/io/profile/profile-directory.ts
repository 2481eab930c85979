// Reads a measured step profile from a directory.
import { access, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { InputError, type TextTable } from '../../core/base/index.ts';
import { parseStepProfile, type StepProfile } from '../../core/engine/index.ts';
import { parseCsv } from '../csv/index.ts';

/** Maximum size of a table; a profile table has a few hundred kilobytes. */
const tableBytesMax = 64 * 2 ** 20;

/**
 * Reads `attention.csv` and `dense.csv` of a directory, plain or as `.csv.gz`; and, if present,
 * `per_sequence.csv` and `moe.csv`.
 *
 * @throws {InputError} If a table is missing, too long, or invalid.
 * @example const profile = await readProfileDirectory('bench/data/vllm-runs/profile/…_tp1');
 */
export async function readProfileDirectory(directory: string): Promise<StepProfile> {
  // Read one after the other, so that a directory that lacks several tables always gets the same
  // error.
  const attention = await readNeededTable(directory, 'attention.csv');
  const dense = await readNeededTable(directory, 'dense.csv');
  const perSequence = await readTable(directory, 'per_sequence.csv');
  const experts = await readTable(directory, 'moe.csv');
  return parseStepProfile({ attention, dense, perSequence, experts });
}

async function readNeededTable(directory: string, name: string): Promise<TextTable> {
  const table = await readTable(directory, name);
  if (table !== undefined) return table;
  throw new InputError(
    `The profile directory ${directory} has neither ${name} nor ${name}.gz; it needs ` +
      'attention.csv and dense.csv.',
  );
}

async function readTable(directory: string, name: string): Promise<TextTable | undefined> {
  for (const suffix of ['', '.gz']) {
    const path = join(directory, name + suffix);
    const found = await access(path).then(
      () => true,
      () => false,
    );
    if (!found) continue;
    const bytes = await readFile(path);
    const plain = suffix === '' ? bytes : await unzipped(bytes, path);
    return parseCsv(plain.toString('utf8'), name);
  }
  return undefined;
}

async function unzipped(bytes: Buffer, path: string): Promise<Buffer> {
  try {
    return await promisify(gunzip)(bytes, { maxOutputLength: tableBytesMax });
  } catch (cause) {
    throw new InputError(`${path} is not a gzip file of at most 64 MiB`, { cause });
  }
}
