// Default prices of GPUs per hour.

export interface GpuPrice {
  /** On-demand price of one GPU, including its share of the host. */
  readonly dollarsPerHour: number;
  readonly source: string;
}

/**
 * List prices of providers as collected in SkyPilot's catalogue, from the given file and commit.
 *
 * @see https://github.com/skypilot-org/skypilot-catalog
 */
const nebius = 'Nebius, skypilot-catalog v9/nebius/vms.csv at d9bf3aa4';
const lambda = 'Lambda, skypilot-catalog v9/lambda/vms.csv at 2c3d7ea7';

/** Prices by GPU. A plan for any other GPU has no prices unless the input sets one. */
const prices: Readonly<Record<string, GpuPrice>> = {
  'A100-80GB': { dollarsPerHour: 2.79, source: `${lambda}, an eighth of gpu_8x_a100_80gb_sxm4` },
  'H100-80GB': { dollarsPerHour: 2.95, source: `${nebius}, gpu-h100-sxm` },
  H200: { dollarsPerHour: 3.5, source: `${nebius}, gpu-h200-sxm` },
  B200: { dollarsPerHour: 5.5, source: `${nebius}, an eighth of gpu-b200-sxm_8gpu` },
  L40S: { dollarsPerHour: 1.82, source: `${nebius}, gpu-l40s-d_1gpu-16vcpu-96gb` },
  A10: { dollarsPerHour: 1.29, source: `${lambda}, gpu_1x_a10` },
  // One CPU socket of the catalogue.
  CPU: { dollarsPerHour: 0.79, source: `${nebius}, cpu-d3_32vcpu-128gb` },
};

/** @returns Undefined for a GPU without a known price. */
export function gpuPrice(gpu: string): GpuPrice | undefined {
  return prices[gpu];
}
