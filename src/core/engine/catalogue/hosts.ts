// What the host adds to a step that was profiled kernel by kernel: its own time, and the link
// between the GPUs.
import type { AllReduceLink } from '../cost/profile-cost.ts';
import type { GpuSpec } from './gpus.ts';

export interface HostConstants {
  /** Time of a step that no kernel hides: scheduling, input preparation, sampling. */
  readonly hostSecondsPerStep: number;
  /** Of an all-reduce between the GPUs of one engine; undefined for a single GPU. */
  readonly link: AllReduceLink | undefined;
}

/** By catalogue name; each from a recorded run of that host, see docs/models/engine-model.md. */
const hostSecondsPerStep: Readonly<Record<string, number>> = {
  RTX4090: 0,
  'RTX-PRO-6000': 1.5e-3,
};
/** For hosts that nobody has recorded: what the roofline is fitted with. */
export const defaultHostSecondsPerStep = 0.6e-3;

/** Start of an all-reduce within one machine: a fixed part, and one per doubling of its GPUs. */
const allReduceStartSeconds = {
  NVLink: [5.5e-6, 7e-6],
  PCIe: [18e-6, 7e-6],
  memory: [20e-6, 0],
} as const;

/** The constants that ship for engines of `tensorParallelSize` such GPUs. */
export function hostConstants(gpu: GpuSpec, tensorParallelSize: number): HostConstants {
  return {
    hostSecondsPerStep: hostSecondsPerStep[gpu.name] ?? defaultHostSecondsPerStep,
    link: tensorParallelSize > 1 ? allReduceLink(gpu, tensorParallelSize) : undefined,
  };
}

/** An all-reduce over the GPU's own link: its start and its rate in bytes of the summed tensor. */
export function allReduceLink(
  { link, efficiency }: GpuSpec,
  tensorParallelSize: number,
): AllReduceLink {
  const [fixed, perDoubling] = allReduceStartSeconds[link.kind];
  return {
    latencySeconds: fixed + perDoubling * Math.log2(tensorParallelSize),
    bytesPerSecond: link.bytesPerSecond * efficiency.link,
  };
}
