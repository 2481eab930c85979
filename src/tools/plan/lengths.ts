// Lengths of prompts and answers: a few known percentiles as a distribution.
import type { Lengths } from '../../core/workload/index.ts';

/** Tokens. All of these or fewer may be known; they must not contradict each other. */
export interface KnownLengths {
  readonly mean?: number | undefined;
  readonly p50?: number | undefined;
  readonly p95?: number | undefined;
  readonly max?: number | undefined;
}

/** Lengths as a log-normal distribution, and the longest. Tokens. */
export interface PlanLengths {
  readonly mean: number;
  readonly p95: number;
  readonly max: number;
  /** Standard deviation of the logarithm; 0: all are equal. */
  readonly sigma: number;
}

/** Quantile of the normal distribution at 95 %. */
const normalP95 = 1.645;
/** How far a longest prompt lies beyond a mean that is all that is known. */
const longestOverMean = 2;
/** Steepest distribution: a p95 of 40 times the median. */
const sigmaMax = 2.25;

/**
 * A log-normal through what is known: mean and p95, median and p95, or one of them. One number alone
 * is taken as all lengths being equal.
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

/** The same for the workload generators, about `mean` tokens long. */
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
