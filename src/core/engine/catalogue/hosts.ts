// What the host adds to a step that was profiled kernel by kernel: its own time, and the link between the
// GPUs.
import type { AllReduceLink } from '../cost/all-reduce.ts';
import { samplesOf } from '../cost/interpolation.ts';
import type { GpuSpec } from './gpus.ts';

export interface HostConstants {
  /** Time of a step that no kernel hides: scheduling, input preparation, sampling. */
  readonly hostSecondsPerStep: number;
  /** Time of an all-reduce between the GPUs of one engine; undefined for a single GPU. */
  readonly link: AllReduceLink | undefined;
}

/**
 * By catalogue name, each from a recorded run of that host: the RTX 4090 needs none; the host of the RTX
 * PRO 6000 needs 1.5 to 2.1 ms, depending on the metric, in a run that is not in this repository. See
 * docs/models/engine-model.md.
 */
const hostSecondsPerStep: Readonly<Record<string, number>> = {
  RTX4090: 0,
  'RTX-PRO-6000': 1.8e-3,
};
/** For hosts without a recorded run: the value that the roofline is fitted with. */
export const defaultHostSecondsPerStep = 0.6e-3;

/**
 * Startup time of an all-reduce within one machine: a fixed part, and one per doubling of its GPUs.
 * NVLink is fitted to serving points; PCIe is what NCCL takes for 10 kB between two RTX PRO 6000 (36 µs).
 */
const allReduceStartSeconds = {
  NVLink: [5.5e-6, 7e-6],
  PCIe: [29e-6, 7e-6],
  memory: [20e-6, 0],
} as const;

/** The shipped constants for engines of `tensorParallelSize` such GPUs. */
export function hostConstants(gpu: GpuSpec, tensorParallelSize: number): HostConstants {
  return {
    hostSecondsPerStep: hostSecondsPerStep[gpu.name] ?? defaultHostSecondsPerStep,
    link: tensorParallelSize > 1 ? allReduceLink(gpu, tensorParallelSize) : undefined,
  };
}

/** An all-reduce over the GPU's own link: its startup time, and its rate in bytes of the summed tensor. */
export function allReduceLink(
  { link, efficiency }: GpuSpec,
  tensorParallelSize: number,
): AllReduceLink {
  const [fixed, perDoubling] = allReduceStartSeconds[link.kind];
  const doublings = Math.log2(tensorParallelSize);
  const later = perDoubling * (doublings - 1);
  return {
    latencySeconds: fixed + perDoubling * doublings,
    bytesPerSecond: link.bytesPerSecond * efficiency.link,
    ...(link.allReduce && {
      measured: samplesOf(link.allReduce.map(([sent, us]) => [sent, us / 1e6 + later])),
    }),
  };
}
