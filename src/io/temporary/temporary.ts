// Makes them in the system's folder for temporary files.
import { mkdtempSync, openSync, unlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { InputError } from '../../core/base/index.ts';
import { fileProblem } from '../files/index.ts';

/**
 * Makes a folder among the system's temporary files; whoever made it removes it.
 *
 * @param prefix For example `spillway-values-`.
 * @throws {InputError} If there can be none.
 */
export function temporaryFolder(prefix: string): string {
  return inTemporaryFolder((parent) => mkdtempSync(join(parent, prefix)));
}

/**
 * Opens a new file among the system's temporary files, and removes its name: it is gone with its last descriptor.
 *
 * @throws {InputError} If there can be none.
 */
export function temporaryFile(prefix: string): number {
  return inTemporaryFolder((parent) => {
    const path = join(parent, `${prefix}${process.pid}-${performance.now()}`);
    const descriptor = openSync(path, 'wx+', 0o600);
    unlinkSync(path);
    return descriptor;
  });
}

function inTemporaryFolder<Result>(make: (parent: string) => Result): Result {
  const parent = tmpdir();
  try {
    return make(parent);
  } catch (error) {
    throw new InputError(
      `Cannot write to ${parent}, the folder for temporary files: ${fileProblem(error)}. Name another one in the environment variable TMPDIR.`,
      { cause: error },
    );
  }
}
