// Threads of a server that keeps files.

/** More than a disk tier reads and writes at once, so that a disk that hangs leaves some for names of hosts and certificates. */
const fileThreads = 16;

/** Raises the number of threads for files and DNS above Node's four. For the beginning of a program, before the first file is read. */
export function provideFileThreads(): void {
  process.env['UV_THREADPOOL_SIZE'] ??= String(fileThreads);
}
