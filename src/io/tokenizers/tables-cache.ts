// Caches tokenizers on disk as tables, so that the next start need not parse 11 MB of JSON.
import { createHash } from 'node:crypto';
import { mkdir, open, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import {
  decodeTables,
  encodeTables,
  type TokenTables,
  tablesFormat,
} from '../../core/tokenizer/index.ts';

/** Minimum size of a cached file; smaller ones are parsed in a few milliseconds. */
const cachedBytesMin = 1_000_000;
/**
 * Maximum number of cached tokenizers, about 6 MB each; the least recently read are evicted first.
 */
const cachedFilesMax = 8;
const readChunkBytes = 1 << 20;
/** CRC-32 at the end of a file, against damage, not against malice. */
const checksumBytes = 4;

/** The cache entry of one tokenizer.json, which may be empty. */
export interface CacheEntry {
  /** Tables for exactly this content; undefined if there are none or they are damaged. */
  readonly tables: TokenTables | undefined;
  /**
   * Caches tables for later starts. Never throws: without a cache everything works, only slower.
   */
  keep(tables: TokenTables): Promise<void>;
}

/**
 * @param path Path of tokenizer.json. Its whole content is hashed: a changed file is another entry.
 * @param folder The cache. @default `tablesCacheFolder()`
 * @returns Undefined if this file is not cached: it is small, or caching is off.
 */
export async function openCacheEntry(
  path: string,
  folder: string | undefined = tablesCacheFolder(),
): Promise<CacheEntry | undefined> {
  if (folder === undefined) return undefined;
  const { size } = await stat(path);
  if (size < cachedBytesMin) return undefined;
  const file = join(folder, `${await contentHash(path)}-${tablesFormat}.tables`);
  return {
    tables: await readTables(file),
    keep: (tables) => write(folder, file, encodeTables(tables)).catch(() => {}),
  };
}

/**
 * Returns `SPILLWAY_CACHE_DIR`, or else a folder of ours in the system's cache folder of this user.
 * Undefined if `SPILLWAY_CACHE_DIR` is empty, which turns caching off.
 */
export function tablesCacheFolder(environment: Environment = process.env): string | undefined {
  const own = cacheFolder(environment);
  return own === undefined ? undefined : join(own, 'tokenizers');
}

export type Environment = Readonly<Record<string, string | undefined>>;

/** Our cache folder, as for `tablesCacheFolder`. */
export function cacheFolder(environment: Environment): string | undefined {
  const own = environment['SPILLWAY_CACHE_DIR'];
  if (own === '') return undefined;
  return own ?? join(systemCaches(environment), 'spillway');
}

function systemCaches(environment: Environment): string {
  if (process.platform === 'darwin') return join(homedir(), 'Library', 'Caches');
  const named = environment[process.platform === 'win32' ? 'LOCALAPPDATA' : 'XDG_CACHE_HOME'];
  return named || join(homedir(), '.cache');
}

/** Reads the file in pieces, so that it is never whole in memory. */
async function contentHash(path: string): Promise<string> {
  const hash = createHash('sha256');
  const chunk = Buffer.allocUnsafeSlow(readChunkBytes);
  const file = await open(path);
  try {
    for (;;) {
      const { bytesRead } = await file.read(chunk, 0, readChunkBytes);
      if (bytesRead === 0) return hash.digest('hex');
      hash.update(chunk.subarray(0, bytesRead));
    }
  } finally {
    await file.close();
  }
}

async function readTables(file: string): Promise<TokenTables | undefined> {
  const bytes = await readFile(file).catch(() => undefined);
  if (bytes === undefined || bytes.length < checksumBytes) return undefined;
  const encoded = bytes.subarray(0, -checksumBytes);
  if (crc32(encoded) !== bytes.readUInt32LE(encoded.length)) return undefined;
  return decodeTables(encoded);
}

/** Writes atomically: readers and other writers see a complete file or none. */
async function write(folder: string, file: string, bytes: Uint8Array): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const unfinished = `${file}.${process.pid}`;
  try {
    const checksum = Buffer.alloc(checksumBytes);
    checksum.writeUInt32LE(crc32(bytes));
    await writeFile(unfinished, [bytes, checksum], { mode: 0o600 });
    await rename(unfinished, file);
  } catch (error) {
    await rm(unfinished, { force: true });
    throw error;
  }
  await forgetOldest(folder);
}

async function forgetOldest(folder: string): Promise<void> {
  const files = await Promise.all(
    (await readdir(folder)).map(async (name) => {
      const path = join(folder, name);
      return { path, readMs: (await stat(path)).atimeMs };
    }),
  );
  files.sort((a, b) => b.readMs - a.readMs);
  await Promise.all(files.slice(cachedFilesMax).map(({ path }) => rm(path, { force: true })));
}
