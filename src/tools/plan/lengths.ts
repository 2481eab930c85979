// Length distributions of prompts and responses from a few known percentiles.
import type { Lengths } from '../../core/workload/index.ts';

/** Known lengths in tokens. All are optional; they must not contradict each other. */
export interface KnownLengths {
  readonly mean?: number | undefined;
  readonly p50?: number | undefined;
  readonly p95?: number | undefined;
  readonly max?: number | undefined;
}

/** A log-normal distribution of lengths and its maximum, in tokens. */
export interface PlanLengths {
  readonly mean: number;
  readonly p95: number;
  readonly max: number;
  /** Standard deviation of the logarithm; 0 if all lengths are equal. */
  readonly sigma: number;
}

/** Quantile of the normal distribution at 95 %. */
const normalP95 = 1.645;
/** Maximum over mean, if only the mean is known. */
const longestOverMean = 2;
/** Largest standard deviation: a p95 of 40 times the median. */
const sigmaMax = 2.25;

/**
 * Fits a log-normal to the known values: mean and p95, median and p95, or one of them. With a single number all
 * lengths are equal.
 *
 * @example lengthsOf({ p50: 1000, p95: 4000 }).sigma; // 0.84…
 */
export function lengthsOf({ mean, p50, p95, max }: KnownLengths): PlanLengths {
  const sigma = Math.min(sigmaMax, sigmaOf({ mean, p50, p95 }));
  const tailOverMean = Math.exp(normalP95 * sigma - sigma ** 2 / 2);
  const middle =
    mean ?? (p50 !== undefined ? p50 * Math.exp(sigma ** 2 / 2) : (p95 ?? max ?? 1) / tailOverMean);
  const tail = p95 ?? middle * tailOverMean;
  return {
    mean: middle,
    p95: Math.min(tail, max ?? Number.POSITIVE_INFINITY),
    max: Math.ceil(max ?? Math.max(tail * 2, middle * longestOverMean)),
    sigma,
  };
}

/** Returns the distribution for the workload generators, scaled to the given mean. */
export function drawnLengths({ sigma }: PlanLengths, mean: number): Lengths {
  const tokens = Math.max(1, Math.round(mean));
  return sigma === 0 ? tokens : { mean: tokens, cv: Math.sqrt(Math.exp(sigma ** 2) - 1) };
}

function sigmaOf({ mean, p50, p95 }: KnownLengths): number {
  if (p50 !== undefined && p95 !== undefined) return Math.log(Math.max(p95 / p50, 1)) / normalP95;
  if (p50 !== undefined && mean !== undefined) {
    return Math.sqrt(2 * Math.log(Math.max(mean / p50, 1)));
  }
  if (mean !== undefined && p95 !== undefined) {
    // p95 / mean = exp(1.645 s − s² / 2): the smaller root.
    const ratio = Math.log(Math.max(p95 / mean, 1));
    return normalP95 - Math.sqrt(Math.max(0, normalP95 ** 2 - 2 * ratio));
  }
  return 0;
}
