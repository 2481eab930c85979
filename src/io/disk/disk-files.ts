// The file operations of the disk tier, so that tests can let them fail.
import { mkdir, open, readdir, rename, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';

/** What is used of an open file. */
export interface OpenFile {
  read(
    buffer: Uint8Array,
    offset: number,
    length: number,
    position: number,
  ): Promise<{ readonly bytesRead: number }>;
  /** Fills the buffers in order. */
  readv(buffers: readonly Uint8Array[], position: number): Promise<{ readonly bytesRead: number }>;
  writev(
    buffers: readonly Uint8Array[],
    position: number,
  ): Promise<{ readonly bytesWritten: number }>;
  stat(): Promise<{ readonly size: number; readonly mtimeMs: number }>;
  close(): Promise<void>;
}

export interface DiskFiles {
  open(path: string, flags: 'r' | 'wx'): Promise<OpenFile>;
  rename(from: string, to: string): Promise<void>;
  unlink(path: string): Promise<void>;
  readdir(path: string): Promise<string[]>;
  /** Makes a folder and those above it; one that is there already is no error. */
  makeFolder(path: string): Promise<void>;
}

/** The files of this machine. */
export const diskFiles: DiskFiles = { open, rename, unlink, readdir, makeFolder };

/** Node's own `recursive` never ends where a folder says that it is not there itself, as /proc does. */
async function makeFolder(path: string): Promise<void> {
  const make = () =>
    mkdir(path).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
    });
  await make().catch(async (error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT' || dirname(path) === path) throw error;
    await makeFolder(dirname(path));
    await make();
  });
}
