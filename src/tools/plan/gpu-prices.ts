// What a GPU costs by the hour where nobody says otherwise.

/**
 * Dollars an hour for one GPU, on demand, rounded, as cloud list prices stood in 2025 (Lambda for A10,
 * A100, H100, B200; RunPod's secure cloud for the rest). Prices move: `operations.gpuPricePerHour`
 * replaces them, and a plan prints the one that it took as an assumption.
 */
const dollarsPerHour: Readonly<Record<string, number>> = {
  'A100-80GB': 1.79,
  'H100-80GB': 2.99,
  H200: 3.59,
  B200: 4.99,
  L40S: 0.86,
  A10: 0.75,
  RTX4090: 0.69,
  'RTX-PRO-6000': 1.89,
  CPU: 0.7,
};

/** @returns Undefined for a GPU without a known price. */
export function gpuPricePerHour(gpu: string): number | undefined {
  return dollarsPerHour[gpu];
}
