// What is wrong with a file, in words for people.

/**
 * @param error What reading, parsing or writing a file threw.
 * @returns The reason without an end mark, such as `no such file; check the path`.
 */
export function fileProblem(error: unknown): string {
  const code = (error as NodeJS.ErrnoException | undefined)?.code;
  if (code === 'ENOENT') return 'no such file or folder; check the path';
  if (code === 'EISDIR') return 'it is a folder, not a file';
  if (code === 'ENOTDIR') return 'it is a file, not a folder';
  if (code === 'EACCES' || code === 'EPERM') return 'no permission';
  const message = error instanceof Error ? error.message : String(error);
  return message.replace(/[.:\s]+$/, '');
}
