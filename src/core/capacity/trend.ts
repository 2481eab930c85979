// Whether a series drifts: the test of Mann and Kendall, and the slope of Theil and Sen. Neither assumes a normal
// distribution, and a few outliers change neither.

/** Number of values beyond which a series is thinned: both methods look at every pair. */
const valuesMax = 2_000;

/** The drift of a series. */
export interface Trend {
  /** Median of the slopes between any two values, per step. */
  readonly slope: number;
  /** 95 % interval of the slope. */
  readonly low: number;
  readonly high: number;
  /** Two-sided: the probability of a drift at least as clear in a series without one. */
  readonly p: number;
}

/**
 * Tests a series at equal distances for a monotonic drift.
 *
 * @returns undefined for fewer than 4 values, which cannot show one at 5 %.
 * @example trendOf([1, 2, 3, 4, 5, 6])?.slope; // 1
 * @see H. B. Mann, "Nonparametric Tests Against Trend", Econometrica 13 (1945); P. K. Sen, "Estimates of the
 *   Regression Coefficient Based on Kendall's Tau", JASA 63 (1968)
 */
export function trendOf(all: readonly number[]): Trend | undefined {
  const step = Math.ceil(all.length / valuesMax);
  const values = step > 1 ? all.filter((_, index) => index % step === 0) : all;
  const count = values.length;
  if (count < 4) return undefined;
  const slopes = new Float64Array((count * (count - 1)) / 2);
  let at = 0;
  let rises = 0;
  for (let i = 0; i < count; i++) {
    for (let j = i + 1; j < count; j++) {
      const difference = (values[j] as number) - (values[i] as number);
      slopes[at++] = difference / ((j - i) * step);
      rises += Math.sign(difference);
    }
  }
  slopes.sort();
  const std = Math.sqrt(rankVariance(values));
  const half = (1.959964 * std) / 2;
  const rank = (share: number) => {
    const index = Math.round((slopes.length - 1) / 2 + share);
    return slopes[Math.max(0, Math.min(slopes.length - 1, index))] as number;
  };
  return { slope: medianOf(slopes), low: rank(-half), high: rank(half), p: pOf(rises, std) };
}

/** Variance of the number of rises less falls without a drift; equal values lower it. */
function rankVariance(values: readonly number[]): number {
  const ties = new Map<number, number>();
  for (const value of values) ties.set(value, (ties.get(value) ?? 0) + 1);
  const term = (n: number) => n * (n - 1) * (2 * n + 5);
  let sum = term(values.length);
  for (const tied of ties.values()) sum -= term(tied);
  return sum / 18;
}

function pOf(rises: number, std: number): number {
  if (std === 0 || Math.abs(rises) <= 1) return 1;
  const z = (Math.abs(rises) - 1) / std;
  return Math.min(1, 2 * upperTail(z));
}

/**
 * Probability that a standard normal value is above z ≥ 0, to 7.5e-8.
 *
 * @see M. Abramowitz, I. A. Stegun, "Handbook of Mathematical Functions", 26.2.17
 */
function upperTail(z: number): number {
  const t = 1 / (1 + 0.2316419 * z);
  const polynomial =
    t *
    (0.31938153 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))));
  return (Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI)) * polynomial;
}

function medianOf(sorted: Float64Array): number {
  const middle = (sorted.length - 1) / 2;
  return ((sorted[Math.floor(middle)] as number) + (sorted[Math.ceil(middle)] as number)) / 2;
}
