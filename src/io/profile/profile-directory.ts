// Reads a measured step profile from a directory.
import { access, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { InputError } from '../../core/base/index.ts';
import { parseStepProfile, type StepProfile } from '../../core/engine/index.ts';

/** A profile table is a few hundred kilobytes; more is some other file. */
const tableBytesMax = 64 * 2 ** 20;

/**
 * Reads `attention.csv` and `dense.csv` of a directory, each plain or as `.csv.gz`; and
 * `per_sequence.csv` and `moe.csv` if they are there.
 *
 * @throws {InputError} If a table is missing, too long, or holds something else.
 * @example const profile = await readProfileDirectory('bench/data/vllm-runs/profile/…_tp1');
 */
export async function readProfileDirectory(directory: string): Promise<StepProfile> {
  // One after another: a directory that lacks several always gets the same sentence.
  const attention = await readNeededTable(directory, 'attention.csv');
  const dense = await readNeededTable(directory, 'dense.csv');
  const perSequence = await readTable(directory, 'per_sequence.csv');
  const experts = await readTable(directory, 'moe.csv');
  return parseStepProfile({ attention, dense, perSequence, experts });
}

async function readNeededTable(directory: string, name: string): Promise<string> {
  const text = await readTable(directory, name);
  if (text !== undefined) return text;
  throw new InputError(
    `The profile directory ${directory} has neither ${name} nor ${name}.gz; it needs ` +
      'attention.csv and dense.csv.',
  );
}

async function readTable(directory: string, name: string): Promise<string | undefined> {
  for (const suffix of ['', '.gz']) {
    const path = join(directory, name + suffix);
    const found = await access(path).then(
      () => true,
      () => false,
    );
    if (!found) continue;
    const bytes = await readFile(path);
    try {
      const plain =
        suffix === '' ? bytes : await promisify(gunzip)(bytes, { maxOutputLength: tableBytesMax });
      return plain.toString('utf8');
    } catch (cause) {
      throw new InputError(`${path} is not a gzip file of at most 64 MiB`, { cause });
    }
  }
  return undefined;
}
