// From a few simulated fleets to figures with intervals.

import type { Estimate, Gain } from './plan.ts';
import type { Played } from './played.ts';

/** Student's t at 95 %, one-sided, by degrees of freedom from 1. */
const studentT95 = [6.314, 2.92, 2.353, 2.132, 2.015, 1.943, 1.895, 1.86, 1.833, 1.812];

/** Mean, and the interval that 90 % of further fleets would lie in, were they drawn the same way. */
export function estimate(values: readonly number[]): Estimate {
  const { mean, half } = spread(values);
  return { mean, low: mean - half, high: mean + half };
}

/**
 * The same for figures above zero, whose errors are factors: the interval is that of the logarithms.
 * Where a figure is zero in some run its interval is that of the figures, and ends at zero.
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

/** One figure of all runs, never negative. */
export function figure(runs: readonly Played[], pick: (played: Played) => number): Estimate {
  return positiveEstimate(runs.map(pick));
}

/** A share: its interval ends at 1, too. */
export function share(runs: readonly Played[], pick: (played: Played) => number): Estimate {
  const { mean, low, high } = figure(runs, pick);
  return { mean, low, high: Math.min(1, high) };
}

/**
 * The gain of one layout over another from runs in pairs: each pair had the same traffic and the same
 * error of the engine model, which therefore cancel but for what the two compute differently.
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

/** The first estimate, with an interval that holds all of theirs: of cases that may each be. */
export function hull(estimates: readonly [Estimate, ...Estimate[]]): Estimate {
  return {
    mean: estimates[0].mean,
    low: Math.min(...estimates.map(({ low }) => low)),
    high: Math.max(...estimates.map(({ high }) => high)),
  };
}

/**
 * An interval no narrower than that of a single measured point around its prediction: a few fleets may show
 * less.
 *
 * @param errors Measured over predicted, in rising order.
 */
export function noSurerThan(estimate: Estimate, errors: readonly number[]): Estimate {
  const [least, most] = [errors[0] ?? 1, errors.at(-1) ?? 1];
  const { mean, low, high } = estimate;
  return { mean, low: Math.min(low, mean * least), high: Math.max(high, mean * most) };
}

/** The hull of gains. */
export function gainHull(gains: readonly [Gain, ...Gain[]]): Gain {
  const [first, ...rest] = gains;
  return {
    ...first,
    throughput: hull([first.throughput, ...rest.map(({ throughput }) => throughput)]),
    ttft: hull([first.ttft, ...rest.map(({ ttft }) => ttft)]),
  };
}
