// One server at a time in a folder of values: a file names the process that has it. The file outlives a process that is killed; the
// next server takes the folder over.
import {
  closeSync,
  constants,
  fstatSync,
  openSync,
  readFileSync,
  readlinkSync,
  readSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { InputError } from '../../core/base/index.ts';
import { diskFiles } from './disk-files.ts';

/** In the folder. */
export const lockName = 'server.lock';

/** A process. Its number alone means another one after its end, and in another container. */
interface Owner {
  readonly pid: number;
  /** When it began, in ticks since the machine did; undefined without /proc, like the others. */
  readonly started?: string | undefined;
  /** New at each start of the machine. */
  readonly boot?: string | undefined;
  /** Where the number counts. */
  readonly namespace?: string | undefined;
}

/** Bytes of the file that are read; ours has some 150. */
const lockBytesMax = 4096;
/** An empty file is looked at again: a server may have created it just now. */
const emptyLooksMax = 20;
const emptyWaitMs = 25;

export interface FolderLock {
  release(): void;
}

/**
 * Takes a folder for this process. A folder in which no file can be created needs no lock.
 *
 * @throws {InputError} If a running process has it; the message says which. Also if the file cannot be read or taken over.
 */
export async function lockFolder(folder: string): Promise<FolderLock> {
  // What is wrong with the folder is found when it is read.
  await diskFiles.makeFolder(folder).catch(() => undefined);
  const path = join(folder, lockName);
  const own = JSON.stringify(ownerOf(process.pid));
  for (let looks = 0; ; looks++) {
    const failure = create(path, own);
    if (failure !== 'EEXIST') {
      const release = () => {
        if (lockTextIn(path) === own) rmSync(path, { force: true });
      };
      return { release: failure === undefined ? release : () => {} };
    }
    const found = foundIn(path, folder);
    if (found === '' && looks < emptyLooksMax) {
      await new Promise((resolve) => setTimeout(resolve, emptyWaitMs));
      continue;
    }
    const owner = ownerIn(found ?? '');
    if (owner !== undefined && isRunning(owner)) {
      throw new InputError(
        `--disk ${folder} is in use by process ${owner.pid}: a folder is for one server at a time. Stop that server, or name another folder.`,
      );
    }
    if (found !== undefined) takeAway(path, found, folder);
  }
}

/** The text of the file; undefined if it is gone. @throws {InputError} If it is none of ours. */
function foundIn(path: string, folder: string): string | undefined {
  try {
    return lockTextIn(path);
  } catch (cause) {
    throw notOurs(folder, cause);
  }
}

function notOurs(folder: string, cause: unknown): InputError {
  const { message } = cause as Error;
  return new InputError(
    `--disk ${folder} cannot be used: its ${lockName} is none of a cache server of this user (${message}). Remove it, or name another folder.`,
    { cause },
  );
}

/** @returns The code of the error; undefined if the file is this process's. */
function create(path: string, text: string): string | undefined {
  try {
    writeFileSync(path, text, { flag: 'wx' });
    return undefined;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? 'unknown';
  }
}

/** Removes the file of a process that is gone, unless another server was faster. */
function takeAway(path: string, seen: string, folder: string): void {
  const aside = `${path}.${process.pid}`;
  try {
    renameSync(path, aside);
    if (lockTextIn(aside) === seen) rmSync(aside, { force: true });
    else renameSync(aside, path);
  } catch (error) {
    // Without the file, another server has taken it away.
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw notOurs(folder, error);
  }
}

/** As `textIn`, but never of a link, or of what would never end or begin. @throws If there is something else than a file that can be read. */
function lockTextIn(path: string): string | undefined {
  let file: number;
  try {
    file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  try {
    if (!fstatSync(file).isFile()) throw new Error('it is no file');
    const bytes = Buffer.alloc(lockBytesMax);
    return bytes.toString('utf8', 0, readSync(file, bytes, 0, lockBytesMax, 0));
  } finally {
    closeSync(file);
  }
}

/** @returns Undefined without the file. */
function textIn(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

function ownerOf(pid: number): Owner {
  const namespace = linkAt(`/proc/${pid}/ns/pid`);
  return { pid, started: startOf(pid), boot: textIn('/proc/sys/kernel/random/boot_id'), namespace };
}

/** The 22nd field; the second one, the name, may hold spaces and brackets. */
function startOf(pid: number): string | undefined {
  return textIn(`/proc/${pid}/stat`)
    ?.replace(/^.*\) /s, '')
    .split(' ')[19];
}

function linkAt(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}

/** @returns Undefined for a text that names no process. */
function ownerIn(text: string): Owner | undefined {
  try {
    const read = JSON.parse(text) as Owner;
    return Number.isSafeInteger(read.pid) && read.pid > 0 ? read : undefined;
  } catch {
    return undefined;
  }
}

/** A process of another container cannot be looked up; it counts as gone, like the container that was started again after a crash. */
function isRunning({ pid, started, boot, namespace }: Owner): boolean {
  const here = ownerOf(process.pid);
  if (boot !== here.boot || namespace !== here.namespace) return false;
  try {
    process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
  return startOf(pid) === started;
}
