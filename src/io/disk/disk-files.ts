// The file operations of the disk tier, so that tests can let them fail.
import { constants } from 'node:fs';
import { lstat, mkdir, open, readdir, rename, unlink } from 'node:fs/promises';
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

/** What stands at a path. */
export interface PathState {
  /** A link is neither, whatever it leads to. */
  readonly kind: 'file' | 'folder' | 'other';
  readonly owner: number;
}

export interface DiskFiles {
  /** Opens a file; with `r` no link, and nothing that could be waited for, such as a FIFO. */
  open(path: string, flags: 'r' | 'wx'): Promise<OpenFile>;
  /** What stands at a path, without opening it. @throws If there is nothing. */
  look(path: string): Promise<PathState>;
  rename(from: string, to: string): Promise<void>;
  unlink(path: string): Promise<void>;
  readdir(path: string): Promise<string[]>;
  /** Makes a folder and those above it; one that is there already is no error. */
  makeFolder(path: string): Promise<void>;
}

/** The files of this machine. */
export const diskFiles: DiskFiles = {
  ...{ open: openFile, look, rename, unlink, readdir, makeFolder },
};

/** A FIFO that has taken the place of a file would block a thread of the pool for ever, and a few of them all. */
const readFlags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

async function openFile(path: string, flags: 'r' | 'wx'): Promise<OpenFile> {
  if (flags === 'wx') return await open(path, flags);
  const file = await open(path, readFlags);
  if ((await file.stat()).isFile()) return file;
  await file.close();
  throw new Error(`${path} is no file`);
}

async function look(path: string): Promise<PathState> {
  const found = await lstat(path);
  const kind = found.isFile() ? 'file' : found.isDirectory() ? 'folder' : 'other';
  return { kind, owner: found.uid };
}

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
