// Finds a GPU by its catalogue name, or reads it from the figures of its datasheet.
import { existsSync } from 'node:fs';
import { findGpu, type GpuSpec } from '../../core/engine/index.ts';
import { pathBeside } from '../files/index.ts';

/** A name, a path, an entry in braces, or a parsed entry. */
export type GivenGpu = string | Readonly<Record<string, unknown>>;

/**
 * @param given A catalogue name, a file that ends in `.yaml` or `.yml`, or an entry with the keys
 * of such a file: parsed, or in braces, `{name: X1, memory_gib: 64, tflops: 400,
 * memory_gb_per_second: 2000}`.
 * @param beside The file that refers to the GPU, if any; a relative path is resolved against it.
 * @throws {InputError} If the name is unknown, or the file or entry does not describe a GPU.
 */
export async function readGpuSpec(given: GivenGpu, beside?: string): Promise<GpuSpec> {
  if (isCatalogueName(given)) return findGpu(given);
  // Imported here because its two libraries are a third of an engine's modules, and most engines
  // need neither.
  const { readGpuFile } = await import('./gpu-file.ts');
  return readGpuFile(fileOrEntry(given, beside));
}

export function isCatalogueName(given: GivenGpu): given is string {
  return typeof given === 'string' && !/^\s*\{|\.ya?ml$/i.test(given);
}

/** Returns the argument for `readGpuFile`. */
export function fileOrEntry(given: GivenGpu, beside: string | undefined): string {
  if (typeof given !== 'string') return JSON.stringify(given);
  if (beside === undefined || given.trimStart().startsWith('{')) return given;
  const near = pathBeside(beside, given);
  return existsSync(near) ? near : given;
}
