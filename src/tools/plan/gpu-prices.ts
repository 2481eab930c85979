// What a GPU costs by the hour where nobody says otherwise.

/**
 * Dollars an hour for one GPU on demand: rough, from memory of cloud list prices of 2025, not looked up.
 * They serve to compare GPUs; for money, `operations.gpuPricePerHour` replaces them, and a plan says which
 * of the two it took.
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
