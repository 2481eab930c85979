// Where a path leads that a file names.
import { dirname, isAbsolute, join } from 'node:path';

/**
 * Where a path that such a file names lies: beside the file, so that it means the same from everywhere.
 *
 * @param file As given to `readInputText`; of standard input, paths are those of the working directory.
 */
export function pathBeside(file: string, path: string): string {
  return isAbsolute(path) || file === '-' ? path : join(dirname(file), path);
}
