// Resolves a path that a file refers to.
import { dirname, isAbsolute, join } from 'node:path';

/**
 * Resolves a path relative to the file that contains it, so that it does not depend on the working
 * directory.
 *
 * @param file As given to `readInputText`; for standard input, the path is relative to the working
 * directory.
 */
export function pathBeside(file: string, path: string): string {
  return isAbsolute(path) || file === '-' ? path : join(dirname(file), path);
}
