// The file operations of the disk tier, so that tests can let them fail.
import { mkdir, open, readdir, rename, unlink } from 'node:fs/promises';

/** What is used of an open file. */
export interface OpenFile {
  read(
    buffer: Uint8Array,
    offset: number,
    length: number,
    position: number,
  ): Promise<{ readonly bytesRead: number }>;
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
  mkdir(path: string, options: { readonly recursive: true }): Promise<unknown>;
}

/** The files of this machine. */
export const diskFiles: DiskFiles = { open, rename, unlink, readdir, mkdir };
