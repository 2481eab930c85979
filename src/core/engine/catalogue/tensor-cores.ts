// Number formats that a GPU's matrix units multiply; others are converted to wider ones first.
import type { GpuSpec } from './gpus.ts';

/** Supported by Ada, Hopper and Blackwell, not by Ampere and older GPUs. */
export function multipliesFp8({ name }: GpuSpec): boolean {
  return !/^(A\d|RTX-A\d|RTX30|T4|V100|CPU)/.test(name);
}

/** Supported by Blackwell. */
export function multipliesFp4({ name }: GpuSpec): boolean {
  return /^G?B\d|PRO-6000|RTX50/.test(name);
}
