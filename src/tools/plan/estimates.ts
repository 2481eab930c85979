// Computes figures with intervals from a few simulated fleets.
import type { Played } from './played.ts';
import type { Estimate, Gain } from './scenario.ts';

/** Student's t at 95 %, one-sided, by degrees of freedom from 1. */
const studentT95 = [6.314, 2.92, 2.353, 2.132, 2.015, 1.943, 1.895, 1.86, 1.833, 1.812];

/** Returns the mean and the interval that would contain 90 % of further fleets drawn the same way. */
export function estimate(values: readonly number[]): Estimate {
  const { mean, half } = spread(values);
  return { mean, low: mean - half, high: mean + half };
}

/**
 * Returns the same for positive figures, whose errors are factors: the interval is computed from logarithms.
 * If a figure is zero in a run, the interval is computed from the figures and cut at zero.
 */
export function positiveEstimate(values: readonly number[]): Estimate {
  const { mean, low, high } = estimate(values);
  if (values.some((value) => value <= 0)) return { mean, low: Math.max(0, low), high };
  const { mean: middle, half } = spread(values.map(Math.log));
  const factor = Math.exp(half);
  return { mean, low: Math.exp(middle) / factor, high: Math.exp(middle) * factor };
}

function spread(values: readonly number[]): { readonly mean: number; readonly half: number } {
  const count = values.length;
  const mean = values.reduce((sum, value) => sum + value, 0) / count;
  if (count < 2) return { mean, half: 0 };
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (count - 1);
  const t = studentT95[Math.min(count - 1, studentT95.length) - 1] as number;
  return { mean, half: t * Math.sqrt(variance * (1 + 1 / count)) };
}

/** Estimates a non-negative figure over all runs. */
export function figure(runs: readonly Played[], pick: (played: Played) => number): Estimate {
  return positiveEstimate(runs.map(pick));
}

/** Estimates a share: the interval is also cut at 1. */
export function share(runs: readonly Played[], pick: (played: Played) => number): Estimate {
  const { mean, low, high } = figure(runs, pick);
  return { mean, low, high: Math.min(1, high) };
}

/**
 * Computes the gain of one layout over another from pairs of runs. The runs of a pair have the same traffic and the
 * same error of the engine model, so most of that error cancels out.
 */
export function gainOf(
  better: { readonly name: string; readonly runs: readonly Played[] },
  base: { readonly name: string; readonly runs: readonly Played[] },
): Gain {
  const gain = (pick: (played: Played) => number): Estimate => {
    const { mean, low, high } = positiveEstimate(
      better.runs.map((played, i) => pick(played) / (pick(base.runs[i] as Played) || 1)),
    );
    return { mean: mean - 1, low: low - 1, high: high - 1 };
  };
  return {
    of: better.name,
    over: base.name,
    throughput: gain(({ throughput }) => throughput),
    ttft: gain(({ ttftMs }) => ttftMs),
  };
}

/** Returns the first estimate with an interval that covers all of them, for alternatives that are all possible. */
export function hull(estimates: readonly [Estimate, ...Estimate[]]): Estimate {
  return {
    mean: estimates[0].mean,
    low: Math.min(...estimates.map(({ low }) => low)),
    high: Math.max(...estimates.map(({ high }) => high)),
  };
}

/**
 * Widens an interval to at least that of single measured points around their prediction, because a few fleets may
 * vary less.
 *
 * @param errors Ratios of measured to predicted values, in ascending order.
 */
export function noSurerThan(estimate: Estimate, errors: readonly number[]): Estimate {
  const [least, most] = [errors[0] ?? 1, errors.at(-1) ?? 1];
  const { mean, low, high } = estimate;
  return { mean, low: Math.min(low, mean * least), high: Math.max(high, mean * most) };
}

/** Returns the hull of several gains. */
export function gainHull(gains: readonly [Gain, ...Gain[]]): Gain {
  const [first, ...rest] = gains;
  return {
    ...first,
    throughput: hull([first.throughput, ...rest.map(({ throughput }) => throughput)]),
    ttft: hull([first.ttft, ...rest.map(({ ttft }) => ttft)]),
  };
}
