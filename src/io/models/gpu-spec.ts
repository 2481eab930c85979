// A GPU by its name in the catalogue, or from a file.
import { findGpu, type GpuSpec } from '../../core/engine/index.ts';

/**
 * @param name A name of the catalogue, or a file ending in `.yaml` or `.yml`.
 * @throws {InputError} If the name is not known, or the file does not hold a GPU.
 */
export async function readGpuSpec(name: string): Promise<GpuSpec> {
  if (!/\.ya?ml$/i.test(name)) return findGpu(name);
  // Its two libraries are a third of the modules of an engine that needs neither.
  const { readGpuFile } = await import('./gpu-file.ts');
  return readGpuFile(name);
}
