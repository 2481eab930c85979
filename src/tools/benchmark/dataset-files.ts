// Reads the rows of a dataset from a file, or from the files of a folder: JSON, JSON lines or CSV.
import { readdir, readFile, stat } from 'node:fs/promises';
import { extname, join, relative } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { InputError } from '../../core/base/index.ts';
import { parseCsv } from '../../io/csv/index.ts';
import { fileProblem } from '../../io/files/index.ts';
import type { FoundRow } from './text-rows.ts';

/** Largest size of all files that are read, without compression; the published ShareGPT has 642 MB, which one string cannot hold. */
const bytesMax = 512 << 20;
/** Maximum number of files of a folder. */
const filesMax = 10_000;
/** Folders of datasets have their files at most that deep: `data/train/0.jsonl`. */
const depthMax = 4;

/** Files that describe a dataset. */
const descriptions = /^(dataset_infos?|dataset_dict|state|config|README)\b.*\.json$/i;

/** Part of a folder, as `--hf-subset` and `--hf-split` name it. */
export interface FolderPart {
  readonly subset?: string | undefined;
  readonly split?: string | undefined;
}

/**
 * @param path A file or a folder.
 * @param max Bytes of all files, without compression.
 * @throws {InputError} If there is none, or nothing in it can be read.
 */
export async function datasetRows(
  path: string,
  part: FolderPart = {},
  max = bytesMax,
): Promise<FoundRow[]> {
  const found = await stat(path).catch((error: NodeJS.ErrnoException) => {
    throw new InputError(
      `Cannot read the dataset ${path}: ${fileProblem(error)}.${hubHint(path)}`,
      {
        cause: error,
      },
    );
  });
  const files = found.isDirectory() ? await filesOf(path, part) : [path];
  const rows: FoundRow[] = [];
  let left = max;
  for (const file of files) {
    const bytes = await bytesOf(file, left);
    if (bytes === undefined) {
      throw new InputError(`${path} is larger than ${max >> 20} MiB; give a part of it.`);
    }
    left -= bytes.length;
    for (const row of await rowsOfFile(file, bytes)) rows.push(row);
  }
  return rows;
}

/** What to do if a name of the hub was given. */
function hubHint(path: string): string {
  if (!/^[\w.-]+\/[\w.-]+$/.test(path)) return '';
  return ` A dataset of the Hugging Face hub is not downloaded: run "hf download --repo-type dataset ${path} --local-dir FOLDER", and give FOLDER.`;
}

async function filesOf(folder: string, { subset, split }: FolderPart): Promise<string[]> {
  const all: string[] = [];
  await collectFiles(folder, depthMax, all);
  all.sort();
  const readable = all.filter(
    (file) => /\.(jsonl?|ndjson|csv)(\.gz)?$/i.test(file) && !descriptions.test(baseOf(file)),
  );
  if (readable.length === 0) throw noFiles(folder, all);
  const named = (files: readonly string[], name: string | undefined) => {
    if (name === undefined) return files;
    const matching = files.filter((file) => relative(folder, file).includes(name));
    return matching.length === 0 ? files : matching;
  };
  return [...named(named(readable, subset), split)];
}

function noFiles(folder: string, all: readonly string[]): InputError {
  const binary = all.filter((file) => /\.(parquet|arrow)$/i.test(file));
  const [first] = binary;
  if (first === undefined) {
    return new InputError(
      `${folder} has no dataset: expected files .jsonl, .json or .csv${all.length === 0 ? '; it is empty' : ''}.`,
    );
  }
  const kind = extname(first).slice(1);
  const reader = kind === 'arrow' ? 'datasets.load_from_disk' : 'pandas.read_parquet';
  const call =
    kind === 'arrow'
      ? `python3 -c "import datasets; datasets.load_from_disk('${folder}').to_json('data.jsonl')"`
      : `python3 -c "import pandas; pandas.read_parquet('${first}').to_json('data.jsonl', orient='records', lines=True)"`;
  return new InputError(
    `${folder} has only ${kind} files (${relative(folder, first)}), which are not read: convert them to JSON lines, as with ${reader}: ${call}`,
  );
}

function parquetFile(file: string): InputError {
  return new InputError(
    `${file} is a Parquet file, which is not read: convert it to JSON lines: python3 -c "import pandas; pandas.read_parquet('${file}').to_json('data.jsonl', orient='records', lines=True)"`,
  );
}

async function collectFiles(folder: string, depth: number, files: string[]): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    if (entry.name.startsWith('.')) continue;
    const path = join(folder, entry.name);
    // Files of the hub's cache are links.
    const isFolder = entry.isSymbolicLink()
      ? await stat(path).then(
          (found) => found.isDirectory(),
          () => false,
        )
      : entry.isDirectory();
    if (isFolder) {
      if (depth > 1) await collectFiles(path, depth - 1, files);
    } else {
      files.push(path);
      if (files.length > filesMax) {
        throw new InputError(
          `${folder} has more than ${filesMax} files; give a folder with fewer.`,
        );
      }
    }
  }
}

/** The bytes of a file without compression; undefined if they are more than `max`. */
async function bytesOf(file: string, max: number): Promise<Buffer | undefined> {
  try {
    if ((await stat(file)).size > max) return undefined;
    const bytes = await readFile(file);
    if (bytes.subarray(0, 4).toString('latin1') === 'PAR1') throw parquetFile(file);
    const isGzip = bytes[0] === 0x1f && bytes[1] === 0x8b;
    if (!isGzip) return bytes;
    return gunzipSync(bytes, { maxOutputLength: Math.max(1, max) });
  } catch (error) {
    if (error instanceof InputError) throw error;
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') return undefined;
    throw new InputError(`Cannot read the dataset ${file}: ${fileProblem(error)}.`, {
      cause: error,
    });
  }
}

async function rowsOfFile(file: string, bytes: Buffer): Promise<FoundRow[]> {
  const text = bytes.toString('utf8').replace(/^\uFEFF/, '');
  const start = text.trimStart()[0];
  if (start === '[') return listRows(text, file);
  if (start === '{') return lineRows(text, file);
  if (start === undefined) throw new InputError(`${file} is empty.`);
  return csvRows(text, file);
}

function listRows(text: string, file: string): FoundRow[] {
  const list = jsonIn(text, file);
  if (!Array.isArray(list)) throw new InputError(`${file} must be a list of rows in JSON.`);
  return list.map((row: unknown, index) => ({ row, where: `${file}[${index}]` }));
}

/** One object per line; or one object in all, whose only list has the rows. */
function lineRows(text: string, file: string): FoundRow[] {
  const lines = text.split('\n');
  if (!isJson(lines.find((line) => line.trim() !== '') ?? '')) {
    const whole = jsonIn(text, file) as Readonly<Record<string, unknown>>;
    const lists = Object.values(whole).filter(Array.isArray);
    const [list] = lists;
    if (list === undefined || lists.length > 1) return [{ row: whole, where: file }];
    return list.map((row: unknown, index) => ({ row, where: `${file}[${index}]` }));
  }
  return lines.flatMap((line, index) => {
    const where = `${file}:${index + 1}`;
    return line.trim() === '' ? [] : { row: jsonIn(line, where), where };
  });
}

async function csvRows(text: string, file: string): Promise<FoundRow[]> {
  const { columns, rows } = await parseCsv(text, file);
  return rows.map(({ line, cells }) => ({
    row: Object.fromEntries(columns.map((column, index) => [column, cells[index] ?? ''])),
    where: `${file}:${line}`,
  }));
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function jsonIn(text: string, where: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new InputError(`${where}: not JSON: ${reason.replace(/ in JSON/, '')}.`, {
      cause: error,
    });
  }
}

function baseOf(file: string): string {
  return file.slice(file.lastIndexOf('/') + 1);
}
