// The steady state of a run: where its warm-up ends, if it ends.
import { trendOf } from './trend.ts';

/** Values that are averaged before the search: MSER-5. */
const batchSize = 5;

/** Batches of a series that is long enough for an answer. */
const batchesMin = 10;

/** Significance at which the second half counts as drifting. */
const significance = 0.001;

/** Drift over it, as a share of its median, that is too small to matter. */
const driftMax = 0.1;

/**
 * Returns the index of the first value of the steady state: what follows has the smallest standard error of its mean
 * (MSER-5), among at most half of the series dropped. The second half must not drift: an overloaded server has no steady state, as its latencies grow to the end.
 *
 * @param values In order of time, such as the latency of each request.
 * @returns undefined for a series without a steady state, or with fewer than 50 values.
 * @see K. P. White, M. J. Cobb, S. C. Spratt, "A Comparison of Five Steady-State Truncation Heuristics for
 *   Simulation", WSC 2000
 */
export function steadyFrom(values: readonly number[]): number | undefined {
  const batches = batchesOf(values);
  if (batches.length < batchesMin) return undefined;
  const half = Math.floor(batches.length / 2);
  return isDrifting(batches.slice(half)) ? undefined : warmupBatches(batches, half) * batchSize;
}

function batchesOf(values: readonly number[]): number[] {
  const batches: number[] = [];
  for (let at = 0; at + batchSize <= values.length; at += batchSize) {
    let sum = 0;
    for (let i = at; i < at + batchSize; i++) sum += values[i] as number;
    batches.push(sum / batchSize);
  }
  return batches;
}

/** Number of batches to drop, at most `droppedMax`, for the smallest standard error of the mean of the rest. */
function warmupBatches(batches: readonly number[], droppedMax: number): number {
  let best = { error: Number.POSITIVE_INFINITY, first: 0 };
  let [count, mean, squares] = [0, 0, 0];
  // From the end, so that each batch is added once (Welford).
  for (let first = batches.length - 1; first >= 0; first--) {
    const value = batches[first] as number;
    count++;
    const before = value - mean;
    mean += before / count;
    squares += before * (value - mean);
    if (first > droppedMax) continue;
    const error = squares / count ** 2;
    if (error <= best.error) best = { error, first };
  }
  return best.first;
}

function isDrifting(values: readonly number[]): boolean {
  const trend = trendOf(values);
  if (trend === undefined || trend.p >= significance) return false;
  const median = values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] as number;
  return Math.abs(trend.slope) * values.length > driftMax * Math.abs(median);
}
