// Percentiles and moments of a sample, as numpy computes them.
import { placeRanks } from './place-ranks.ts';

/**
 * The q-th percentile with linear interpolation between closest ranks: numpy's default method,
 * which vLLM's benchmark uses.
 *
 * @param sorted Ascending, not empty.
 * @param q In [0, 100].
 * @example percentile([1, 2, 3, 4], 50); // 2.5
 * @see https://numpy.org/doc/stable/reference/generated/numpy.percentile.html
 */
export function percentile(sorted: ArrayLike<number>, q: number): number {
  if (sorted.length === 0) throw new RangeError('A percentile needs at least one value');
  if (!(q >= 0 && q <= 100)) throw new RangeError(`Percentile ${q} is not in [0, 100]`);
  const rank = (q / 100) * (sorted.length - 1);
  const below = Math.floor(rank);
  const low = sorted[below] as number;
  const high = sorted[Math.min(below + 1, sorted.length - 1)] as number;
  return low + (high - low) * (rank - below);
}

/**
 * The smallest sample size at which a percentile is meaningful: one value is expected beyond it.
 *
 * @example samplesNeeded(99); // 100
 */
export function samplesNeeded(q: number): number {
  // Rounded before the ceiling: 100 / (100 - 99.9) is 1000.0000000000568 in doubles.
  return q >= 100 ? 1 : Math.ceil(Number((100 / (100 - q)).toFixed(6)));
}

/** Mean, spread and percentiles of one quantity; all in the quantity's own unit. */
export interface Summary {
  readonly count: number;
  readonly mean: number;
  readonly median: number;
  /** Population standard deviation, as numpy.std gives it. */
  readonly std: number;
  readonly min: number;
  readonly max: number;
  /** Per requested percentile; null where the sample is too small for it (see `samplesNeeded`). */
  readonly percentiles: readonly { readonly q: number; readonly value: number | null }[];
}

/**
 * Summarises a sample.
 *
 * @returns undefined for an empty sample: it has no mean, and 0 would read as "instant".
 * @example summarize([1, 2, 3], [50])?.mean; // 2
 */
export function summarize(
  values: ArrayLike<number>,
  percentiles: readonly number[],
): Summary | undefined {
  return summarizeInPlace(new Float64Array(values), percentiles);
}

/** The same for numbers whose order no longer matters. */
export function summarizeInPlace(
  numbers: Float64Array,
  percentiles: readonly number[],
): Summary | undefined {
  if (numbers.length === 0) return undefined;
  // Plain loops: a run has millions of gaps between tokens.
  const count = numbers.length;
  let total = 0;
  let [min, max] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (let i = 0; i < count; i++) {
    const value = numbers[i] as number;
    total += value;
    if (value < min) min = value;
    if (value > max) max = value;
  }
  const mean = total / count;
  let squares = 0;
  for (let i = 0; i < count; i++) squares += ((numbers[i] as number) - mean) ** 2;
  placeRanks(numbers, ranksOf([50, ...percentiles], count));
  return {
    count,
    mean,
    median: percentile(numbers, 50),
    std: Math.sqrt(squares / count),
    min,
    max,
    percentiles: percentiles.map((q) => ({
      q,
      value: count >= samplesNeeded(q) ? percentile(numbers, q) : null,
    })),
  };
}

/** Ranks that the percentiles lie between, ascending. */
function ranksOf(percentiles: readonly number[], count: number): number[] {
  const ranks = percentiles.flatMap((q) => {
    const below = Math.floor((q / 100) * (count - 1));
    return [below, Math.min(below + 1, count - 1)];
  });
  return ranks.sort((a, b) => a - b);
}
