// Finds an accelerator of the catalogue by the names that people and tools give it.
import { InputError, nearest } from '../../base/index.ts';
import { type GpuSpec, gpus } from './gpus.ts';

/** Short names that are only a part of the catalogue's. */
const aliases: Readonly<Record<string, string>> = {
  ...{ '4090': 'rtx4090', a10g: 'a10', rtx6000adageneration: 'rtx6000ada' },
};

/**
 * Finds an accelerator by name, in any case, with any separators, and with or without the words that
 * `nvidia-smi` and cloud catalogues add to it (maker, form, memory).
 *
 * @throws {InputError} If it is not in the catalogue; the message names the nearest one that is.
 * @example findGpu('NVIDIA H100 80GB HBM3').name; // 'H100-80GB'
 */
export function findGpu(name: string): GpuSpec {
  // A PCIe card and an SXM board of the same name are different GPUs where the catalogue has both.
  for (const bareName of [bareFormName, bareGpuName]) {
    const bare = bareName(name);
    const wanted = aliases[bare] ?? bare;
    const found = gpus.find((gpu) => bareName(gpu.name) === wanted);
    if (found) return found;
  }
  const wanted = bareGpuName(name);
  const near = nearest(
    wanted,
    gpus.map((gpu) => bareGpuName(gpu.name)),
  );
  const meant = gpus.find((gpu) => bareGpuName(gpu.name) === near);
  throw new InputError(
    `GPU "${name}" is not in the catalogue; ${meant ? `did you mean ${meant.name}? ` : ''}known: ` +
      gpus.map((gpu) => gpu.name).join(', '),
  );
}

function bareGpuName(name: string): string {
  return bareFormName(name).replace(/pcie|nvl$/g, '');
}

/**
 * Memory sizes are dropped only where they match the catalogue's: an A100 with 40 GB is a different GPU.
 */
function bareFormName(name: string): string {
  return name
    .toLowerCase()
    .replace(/[_-]/g, ' ')
    .replace(
      /nvidia|geforce|tesla|sxm\d?|hbm\d?e?|nvl\s?\d+|blackwell|(server|workstation)( edition)?|max q/g,
      '',
    )
    .replace(/\b(24|48|80|96|141|180)\s?gb\b/g, '')
    .replace(/[^a-z0-9]/g, '');
}
