// Makes a folder and those above it.
import { mkdir } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';

/**
 * Does what `mkdir` of Node does with `recursive`, which never returns below /proc: there a folder cannot be made
 * although the one above it exists, and Node tries for ever.
 *
 * @throws {Error} Of the file system, if a folder cannot be made.
 */
export async function makeFolder(path: string): Promise<void> {
  const full = resolve(path);
  const problem = await mkdirProblem(full);
  if (problem === undefined || problem.code === 'EEXIST') return;
  const parent = dirname(full);
  if (problem.code !== 'ENOENT' || parent === full) throw problem;
  await makeFolder(parent);
  const second = await mkdirProblem(full);
  if (second !== undefined && second.code !== 'EEXIST') throw second;
}

async function mkdirProblem(path: string): Promise<NodeJS.ErrnoException | undefined> {
  return mkdir(path).then(
    () => undefined,
    (error: NodeJS.ErrnoException) => error,
  );
}
