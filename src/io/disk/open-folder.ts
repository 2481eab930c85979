// What an earlier server left in the folder of a disk tier.
import { join } from 'node:path';
import { InputError } from '../../core/base/index.ts';
import type { PlacedValue } from '../../core/cache/index.ts';
import type { DiskFiles, PathState } from './disk-files.ts';
import { lockName } from './folder-lock.ts';
import { bodyOffset, headBytes, readHead, textLengths } from './value-file.ts';

/** Files that are read at once. */
const readersMax = 16;
/** Folders of files whose names begin alike. */
const shardName = /^[\da-f]{2}$/;
/** Names of our files; others are left alone. */
const fileName = /^[\da-f]{32}-\d+(\.tmp)?$/;

export interface FoundValues {
  /** Least recently written first. */
  readonly values: readonly PlacedValue[];
  /** Files to remove: half written, broken, or of an older value of the same key. */
  readonly useless: readonly string[];
  /** Files with a broken head or of a wrong length. */
  readonly broken: number;
  /** Entries that are not this server's: of other names or owners, links, FIFOs, devices. They are neither opened nor removed. */
  readonly ignored: number;
  /** The highest serial number. */
  readonly serial: number;
}

interface Found extends PlacedValue {
  readonly serial: number;
}

/** @throws {InputError} If the folder cannot be read or created. */
export async function openFolder(folder: string, files: DiskFiles): Promise<FoundValues> {
  const root = join(folder, 'v1');
  let listed: Listed;
  try {
    await files.makeFolder(root);
    listed = await ownPaths(root, await ownerOf(folder, files), files);
  } catch (cause) {
    const { message } = cause as Error;
    throw new InputError(
      `--disk ${folder} cannot be used: ${message}. Name a folder that this user may write to.`,
      { cause },
    );
  }
  const { paths, ignored } = listed;
  const useless = paths.filter((path) => path.endsWith('.tmp'));
  const whole = paths.filter((path) => !path.endsWith('.tmp'));
  const newest = new Map<string, Found>();
  let broken = 0;
  const readers = Array.from({ length: readersMax }, async () => {
    for (let path = whole.pop(); path !== undefined; path = whole.pop()) {
      const found = await readValue(path, files).catch(() => undefined);
      const older = found && newest.get(found.key);
      if (found === undefined) {
        broken++;
        useless.push(path);
      } else if (older !== undefined && older.serial > found.serial) useless.push(path);
      else {
        if (older !== undefined) useless.push(older.path);
        newest.set(found.key, found);
      }
    }
  });
  await Promise.all(readers);
  const values = [...newest.values()].toSorted((a, b) => a.serial - b.serial);
  return { values, useless, broken, ignored, serial: values.at(-1)?.serial ?? 0 };
}

interface Listed {
  /** Of files by their names and owners. */
  readonly paths: readonly string[];
  readonly ignored: number;
}

async function ownPaths(root: string, owner: number, files: DiskFiles): Promise<Listed> {
  const paths: string[] = [];
  let ignored = 0;
  const isOwn = async (path: string, kind: PathState['kind']) => {
    // What is gone by now is no matter.
    const found = await files.look(path).catch(() => undefined);
    if (found === undefined) return false;
    const isOurs = found.kind === kind && (kind === 'folder' || found.owner === owner);
    if (!isOurs) ignored++;
    return isOurs;
  };
  for (const shard of await files.readdir(root)) {
    if (!shardName.test(shard)) ignored++;
    else if (await isOwn(join(root, shard), 'folder')) {
      const names = await files.readdir(join(root, shard));
      const own = names
        .filter((name) => fileName.test(name))
        .map((name) => join(root, shard, name));
      ignored += names.length - own.length;
      const lookers = Array.from({ length: readersMax }, async () => {
        for (let path = own.pop(); path !== undefined; path = own.pop()) {
          if (await isOwn(path, 'file')) paths.push(path);
        }
      });
      await Promise.all(lookers);
    }
  }
  return { paths, ignored };
}

/** The owner of what this process creates in the folder: some file systems give all files one that is not the user. */
async function ownerOf(folder: string, files: DiskFiles): Promise<number> {
  const lock = await files.look(join(folder, lockName)).catch(() => undefined);
  return lock?.kind === 'file' ? lock.owner : (process.geteuid?.() ?? 0);
}

/** @returns undefined for a file that is broken or not of its length. */
async function readValue(path: string, files: DiskFiles): Promise<Found | undefined> {
  const file = await files.open(path, 'r');
  try {
    const start = Buffer.alloc(4096);
    const { bytesRead } = await file.read(start, 0, start.length, 0);
    const lengths = textLengths(start.subarray(0, bytesRead));
    if (lengths === undefined) return undefined;
    let whole = start.subarray(0, bytesRead);
    const length = headBytes + lengths.key + lengths.label;
    if (length > bytesRead) {
      whole = Buffer.alloc(length);
      await file.read(whole, 0, length, 0);
    }
    const head = readHead(whole);
    if (head === undefined) return undefined;
    const { size } = await file.stat();
    if (size !== bodyOffset(head) + head.size) return undefined;
    return { ...head, path, fileBytes: Math.ceil(size / 4096) * 4096 };
  } finally {
    await file.close();
  }
}
