// Describes a file error for users.

/**
 * @param error The error of reading, parsing or writing a file.
 * @returns The reason without a full stop, such as `no such file; check the path`.
 */
export function fileProblem(error: unknown): string {
  const code = (error as NodeJS.ErrnoException | undefined)?.code;
  if (code === 'ENOENT') return 'no such file or folder; check the path';
  if (code === 'EISDIR') return 'it is a folder, not a file';
  if (code === 'ENOTDIR') return 'it is a file, not a folder';
  if (code === 'EACCES' || code === 'EPERM') return 'no permission';
  if (code === 'ENOSPC' || code === 'EDQUOT') return 'the disk is full';
  if (code === 'EROFS') return 'the file system is read-only';
  const message = error instanceof Error ? error.message : String(error);
  return message.replace(/[.:\s]+$/, '');
}
