// Reads the texts in which a machine says what it is.
import type { Gpu } from './environment.ts';

/** `PRETTY_NAME` of /etc/os-release. */
export function osName(release: string): string | null {
  const [, quoted, plain] = /^PRETTY_NAME=(?:"([^"]*)"|(.*))$/m.exec(release) ?? [];
  return quoted ?? plain ?? null;
}

/** Number of CPUs that a cgroup allows; null without a limit. */
export function cpuLimit(cpuMax: string): number | null {
  // cgroup v2: "200000 100000"; v1, as joined by the reader: quota and period.
  const [quota = Number.NaN, period = Number.NaN] = cpuMax.trim().split(/\s+/).map(Number);
  return quota > 0 && period > 0 ? Number((quota / period).toFixed(2)) : null;
}

/** @param bytes Memory of the machine: a limit at or above it is none, as cgroup v1 writes it. */
export function memoryLimit(text: string, bytes: number): number | null {
  const limit = Number(text.trim());
  return limit > 0 && limit < bytes ? limit : null;
}

/** What `nvidia-smi --query-gpu=name,memory.total,driver_version --format=csv,noheader,nounits` prints. */
export function nvidiaGpus(csv: string, cuda: string | null): readonly Gpu[] {
  return csv
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => {
      const [name = '', memory = '', driver = ''] = line.split(',').map((field) => field.trim());
      return {
        name,
        memoryMiB: Number.parseInt(memory, 10) || null,
        driver: driver || null,
        runtime: cuda === null ? null : `CUDA ${cuda}`,
      };
    });
}

/** The CUDA version in the table that `nvidia-smi` prints. */
export function cudaVersion(table: string): string | null {
  return /CUDA Version:\s*([\d.]+)/.exec(table)?.[1] ?? null;
}

/** What `rocm-smi --showproductname --showmeminfo vram --showdriverversion --json` prints. */
export function amdGpus(json: string): readonly Gpu[] {
  const cards = JSON.parse(json) as Readonly<Record<string, Readonly<Record<string, string>>>>;
  const driver = cards['system']?.['Driver version'] ?? null;
  return Object.entries(cards)
    .filter(([name]) => name.startsWith('card'))
    .map(([name, card]) => ({
      name: card['Card Series'] ?? card['Card series'] ?? name,
      memoryMiB: Math.round(Number(card['VRAM Total Memory (B)']) / 1_048_576) || null,
      driver,
      runtime: null,
    }));
}

/** The first version in what a program prints for `--version`. */
export function firstVersion(text: string): string | null {
  return /\d+\.\d+[^\s,()]*/.exec(text)?.[0] ?? null;
}
