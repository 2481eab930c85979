// Writes the files that commands leave behind, in their folders. What was there before stays until the new contents are on the disk.
import { randomBytes } from 'node:crypto';
import { constants, rmSync } from 'node:fs';
import {
  access,
  chown,
  type FileHandle,
  mkdir,
  open,
  realpath,
  rename,
  rm,
  stat,
} from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { InputError } from '../../core/base/index.ts';
import { fileProblem } from './file-problem.ts';

/** Files that are being written. A program that ends meanwhile removes them. */
const unfinishedFiles = new Set<string>();

/** Pause after which a file that another program appends to has grown: a write of the system takes less. */
const growMs = 20;

/** Errors with which a folder refuses a second file beside the first: it is read-only, or the file is a mount of its own. */
const noNeighbour = new Set(['EACCES', 'EPERM', 'EROFS', 'EBUSY', 'EXDEV']);

/**
 * Replaces a file, or creates it: a temporary file beside it is written, synchronised and renamed, so that a full
 * disk, a signal or a crash leaves either the old contents or the new. A link stays a link; what is no regular file, such
 * as `/dev/stdout` or a FIFO, is written to. Where the folder admits no second file, the file is overwritten in its place.
 *
 * @param what What the file holds, for the sentence: `Cannot write the page to FILE`.
 * @throws {InputError} If it cannot be written.
 */
export async function writeOutput(file: string, what: string, text: string): Promise<void> {
  try {
    await replace(file, Buffer.from(text));
  } catch (error) {
    throw cannotWrite(file, what, error);
  }
}

/**
 * Checks that a file can be written, before the work whose result it will hold. Nothing is changed.
 *
 * @throws {InputError} If it cannot.
 */
export async function checkOutput(file: string, what: string): Promise<void> {
  try {
    const existing = await statOf(file);
    if (existing?.isDirectory()) throw Object.assign(new Error(), { code: 'EISDIR' });
    if (existing !== undefined) return await access(file, constants.W_OK);
    const folder = dirname(file);
    const isFolder = (await stat(folder)).isDirectory();
    if (!isFolder) throw Object.assign(new Error(), { code: 'ENOTDIR' });
    await access(folder, constants.W_OK | constants.X_OK);
  } catch (error) {
    throw cannotWrite(file, what, error);
  }
}

/** A file that a flag asks for. */
export interface Output {
  /** undefined without the flag. */
  readonly file: string | undefined;
  /** What the file holds. */
  readonly what: string;
}

/** Checks all files that a command will write; see `checkOutput`. */
export async function checkOutputs(outputs: readonly Output[]): Promise<void> {
  for (const { file, what } of outputs) if (file !== undefined) await checkOutput(file, what);
}

/**
 * Writes all files of a command. One that cannot be written does not keep the others from being written.
 *
 * @throws {InputError} Of the first that could not.
 */
export async function writeOutputs(
  outputs: readonly (Output & { readonly text: () => string })[],
): Promise<void> {
  const errors: unknown[] = [];
  for (const { file, what, text } of outputs) {
    if (file === undefined) continue;
    await writeOutput(file, what, text()).catch((error: unknown) => errors.push(error));
  }
  if (errors.length > 0) throw errors[0];
}

/**
 * Appends a line to a file whose last line may have no end. A line that does not fit on the disk is taken back. Lines of
 * several programs do not mix.
 *
 * @throws {InputError} If it cannot be written.
 */
export async function appendOutput(file: string, what: string, line: string): Promise<void> {
  try {
    await append(file, line);
  } catch (error) {
    throw cannotWrite(file, what, error);
  }
}

/**
 * Does what `mkdir` of Node does with `recursive`, which never returns below /proc: there a folder cannot be made
 * although the one above it exists, and Node tries for ever.
 *
 * @throws {Error} Of the file system, if a folder cannot be made.
 */
export async function makeFolder(path: string): Promise<void> {
  const full = resolve(path);
  const problem = await mkdirProblem(full);
  if (problem === undefined || problem.code === 'EEXIST') return;
  const parent = dirname(full);
  if (problem.code !== 'ENOENT' || parent === full) throw problem;
  await makeFolder(parent);
  const second = await mkdirProblem(full);
  if (second !== undefined && second.code !== 'EEXIST') throw second;
}

async function mkdirProblem(path: string): Promise<NodeJS.ErrnoException | undefined> {
  return mkdir(path).then(
    () => undefined,
    (error: NodeJS.ErrnoException) => error,
  );
}

async function append(path: string, line: string): Promise<void> {
  const file = await open(path, 'a+');
  try {
    const { size, isOpen } = await endOf(file);
    const bytes = Buffer.from(isOpen ? `\n${line}` : line);
    let written = 0;
    try {
      // One write, unlike appendFile: the system puts it whole behind those of others.
      while (written < bytes.length) {
        written += (await file.write(bytes, written)).bytesWritten;
      }
      await file.sync();
    } catch (error) {
      const isLast = (await file.stat()).size === size + written;
      if (isLast) await file.truncate(size).catch(() => {});
      throw error;
    }
  } finally {
    await file.close();
  }
}

/** Returns where a file ends, and whether its last line has no end. */
async function endOf(file: FileHandle): Promise<{ size: number; isOpen: boolean }> {
  let before = -1;
  for (;;) {
    const { size } = await file.stat();
    const last = Buffer.alloc(1);
    if (size > 0) await file.read(last, 0, 1, size - 1);
    const isOpen = size > 0 && last.toString() !== '\n';
    if (!isOpen || size === before) return { size, isOpen };
    // Another program may be in the middle of its line.
    before = size;
    await setTimeout(growMs);
  }
}

async function replace(file: string, bytes: Buffer): Promise<void> {
  const existing = await statOf(file);
  if (existing !== undefined && !existing.isFile()) return writeInto(file, 'w', bytes);
  const path = existing === undefined ? file : await realpath(file);
  const unfinished = join(
    dirname(path),
    `.${basename(path).slice(0, 100)}.${randomBytes(6).toString('hex')}.tmp`,
  );
  removeAtExit(unfinished);
  try {
    await writeInto(unfinished, 'wx', bytes, existing && existing.mode & 0o777);
    if (existing !== undefined) await chown(unfinished, existing.uid, existing.gid).catch(() => {});
    await rename(unfinished, path);
  } catch (error) {
    await rm(unfinished, { force: true }).catch(() => {});
    const { code } = error as NodeJS.ErrnoException;
    if (existing === undefined || !noNeighbour.has(code ?? '')) throw error;
    return overwrite(path, bytes);
  } finally {
    unfinishedFiles.delete(unfinished);
    if (unfinishedFiles.size === 0) process.off('exit', removeUnfinished);
  }
  await syncFolder(dirname(path));
}

function removeAtExit(file: string): void {
  if (unfinishedFiles.size === 0) process.on('exit', removeUnfinished);
  unfinishedFiles.add(file);
}

function removeUnfinished(): void {
  for (const file of unfinishedFiles) rmSync(file, { force: true });
}

/** Writes over a file: it is cut only after the new contents are in it. */
async function overwrite(path: string, bytes: Buffer): Promise<void> {
  const file = await open(path, 'r+');
  try {
    await file.writeFile(bytes);
    await file.truncate(bytes.length);
    await file.sync();
  } finally {
    await file.close();
  }
}

async function writeInto(path: string, flags: string, bytes: Buffer, mode?: number): Promise<void> {
  const file = await open(path, flags, mode);
  try {
    // The umask must not take from the mode of the file that is replaced.
    if (mode !== undefined) await file.chmod(mode);
    await file.writeFile(bytes);
    // What is no regular file has nothing to synchronise.
    if (flags === 'wx') await file.sync();
  } finally {
    await file.close();
  }
}

/** Without it, the name may still be the old file's after a power cut. Not every system can. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r').catch(() => undefined);
  await folder?.sync().catch(() => {});
  await folder?.close();
}

/** @returns undefined if there is no such file. */
async function statOf(file: string) {
  try {
    return await stat(file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

function cannotWrite(file: string, what: string, error: unknown): InputError {
  const isMissing = (error as NodeJS.ErrnoException).code === 'ENOENT';
  const reason = isMissing ? `there is no folder ${dirname(file)}` : fileProblem(error);
  return new InputError(`Cannot write the ${what} to ${file}: ${reason}.`, { cause: error });
}
