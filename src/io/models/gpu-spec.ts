// A GPU by its name in the catalogue, or from the figures of its datasheet.
import { existsSync } from 'node:fs';
import { findGpu, type GpuSpec } from '../../core/engine/index.ts';
import { pathBeside } from '../paths/index.ts';

/** A name, a path, an entry in braces, or one that is parsed already. */
export type GivenGpu = string | Readonly<Record<string, unknown>>;

/**
 * @param given A name of the catalogue, a file ending in `.yaml` or `.yml`, or an entry as in the
 *   file: parsed, or in braces, `{name: X1, memory_gib: 64, tflops: 400, memory_gb_per_second: 2000}`.
 * @param beside The file that names it, if one does: a path may be relative to that.
 * @throws {InputError} If the name is not known, or the file or entry does not hold a GPU.
 */
export async function readGpuSpec(given: GivenGpu, beside?: string): Promise<GpuSpec> {
  if (isCatalogueName(given)) return findGpu(given);
  // Its two libraries are a third of the modules of an engine that needs neither.
  const { readGpuFile } = await import('./gpu-file.ts');
  return readGpuFile(fileOrEntry(given, beside));
}

export function isCatalogueName(given: GivenGpu): given is string {
  return typeof given === 'string' && !/^\s*\{|\.ya?ml$/i.test(given);
}

/** What `readGpuFile` takes. */
export function fileOrEntry(given: GivenGpu, beside: string | undefined): string {
  if (typeof given !== 'string') return JSON.stringify(given);
  if (beside === undefined || given.trimStart().startsWith('{')) return given;
  const near = pathBeside(beside, given);
  return existsSync(near) ? near : given;
}
