// What an earlier server left in the folder of a disk tier.
import { join } from 'node:path';
import { InputError } from '../../core/base/index.ts';
import type { PlacedValue } from '../../core/cache/index.ts';
import type { DiskFiles } from './disk-files.ts';
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
  /** The highest serial number. */
  readonly serial: number;
}

interface Found extends PlacedValue {
  readonly serial: number;
}

/** @throws {InputError} If the folder cannot be read or created. */
export async function openFolder(folder: string, files: DiskFiles): Promise<FoundValues> {
  const root = join(folder, 'v1');
  const paths: string[] = [];
  try {
    await files.makeFolder(root);
    for (const shard of await files.readdir(root)) {
      if (!shardName.test(shard)) continue;
      for (const name of await files.readdir(join(root, shard))) {
        if (fileName.test(name)) paths.push(join(root, shard, name));
      }
    }
  } catch (cause) {
    const { message } = cause as Error;
    throw new InputError(
      `--disk ${folder} cannot be used: ${message}. Name a folder that this user may write to.`,
      { cause },
    );
  }
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
  return { values, useless, broken, serial: values.at(-1)?.serial ?? 0 };
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
