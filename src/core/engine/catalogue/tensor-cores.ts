// Which number formats a GPU's matrix units multiply; what they do not multiply is widened first.
import type { GpuSpec } from './gpus.ts';

/** Ada, Hopper and Blackwell do; Ampere and older do not. */
export function multipliesFp8({ name }: GpuSpec): boolean {
  return !/^(A\d|RTX-A\d|RTX30|T4|V100|CPU)/.test(name);
}

/** Blackwell does. */
export function multipliesFp4({ name }: GpuSpec): boolean {
  return /^G?B\d|PRO-6000|RTX50/.test(name);
}
