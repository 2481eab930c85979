// Finds a program as `spawn` would, before anything is started.
import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** Suffixes of programs on Windows. */
const endings = process.platform === 'win32' ? ['', '.exe', '.cmd', '.bat'] : [''];

/**
 * @param program A name to look up in the folders of `path`, or a path.
 * @param path The PATH of the environment in which the program would run.
 * @returns The file, or undefined if there is none that this user may execute.
 */
export function findProgram(program: string, path: string | undefined): string | undefined {
  const folders = isPath(program) ? [''] : (path ?? '').split(delimiter);
  return folders
    .flatMap((folder) => endings.map((ending) => join(folder, program + ending)))
    .find(isExecutable);
}

/** Returns whether it is a path, not the name of a program on the PATH. */
export function isPath(program: string): boolean {
  return /[/\\]/.test(program);
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}
