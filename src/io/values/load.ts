// Reads values files and resolves them with presets and --set arguments.
import { readFile } from 'node:fs/promises';
import { InputError } from '../../core/base/index.ts';
import {
  type Catalogue,
  type ResolvedValues,
  resolveValues,
  type Values,
} from '../../core/values/index.ts';

export interface LoadOptions {
  /** Paths of `-f` files, left to right; `-` is standard input. */
  readonly files?: readonly string[] | undefined;
  /** Arguments of `--set`, left to right. */
  readonly sets?: readonly string[] | undefined;
  /** Arguments of `--set-string`, left to right. */
  readonly setStrings?: readonly string[] | undefined;
  /** Preset to start from, below every file. */
  readonly preset?: string | undefined;
  /** Given, it says whether GPUs and models of embedded engines are known. */
  readonly catalogue?: Catalogue | undefined;
}

/** Largest values file; Helm cannot store a release with more, either. */
const fileBytesMax = 1024 * 1024;

/**
 * Reads, merges as Helm does, validates, and fills defaults in.
 *
 * @throws {InputError} One line per problem: file, line, key, what is allowed.
 * @example const values = await loadValues({ preset: 'laptop', sets: ['routerSpec.containerPort=9000'] });
 */
export async function loadValues(options: LoadOptions): Promise<Values> {
  return (await readValues(options)).values;
}

/** The same, together with what was written, for printing. */
export async function readValues(options: LoadOptions): Promise<ResolvedValues> {
  const files: { name: string; text: string }[] = [];
  for (const path of options.files ?? []) {
    files.push(path === '-' ? { name: 'stdin', text: await readStdin() } : await readNamed(path));
  }
  return resolveValues({ ...options, files });
}

async function readNamed(path: string): Promise<{ name: string; text: string }> {
  let bytes: Uint8Array;
  try {
    bytes = await readFile(path);
  } catch (error) {
    throw new InputError(`${path}: ${reason(error)}.`, { cause: error });
  }
  return { name: path, text: decode(bytes, path) };
}

async function readStdin(): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of process.stdin as AsyncIterable<Uint8Array>) {
    bytes += chunk.length;
    chunks.push(chunk);
    if (bytes > fileBytesMax) break;
  }
  return decode(Buffer.concat(chunks), 'stdin');
}

function decode(bytes: Uint8Array, name: string): string {
  if (bytes.length > fileBytesMax) {
    throw new InputError(`${name}: larger than ${fileBytesMax} bytes, the most for a values file.`);
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (error) {
    throw new InputError(`${name}: not UTF-8 text.`, { cause: error });
  }
}

function reason(error: unknown): string {
  const code = (error as NodeJS.ErrnoException).code;
  if (code === 'ENOENT') return 'no such file; check the path given to -f';
  if (code === 'EISDIR') return 'a directory, not a values file';
  if (code === 'EACCES' || code === 'EPERM') return 'no permission to read it';
  return `cannot be read (${code ?? String(error)})`;
}
