// From a few simulated fleets to figures with intervals.

import type { Estimate, Gain } from './plan.ts';
import type { Played } from './play.ts';

/** Student's t at 95 %, one-sided, by degrees of freedom from 1. */
const studentT95 = [6.314, 2.92, 2.353, 2.132, 2.015, 1.943, 1.895, 1.86, 1.833, 1.812];

/**
 * Mean, and the interval that 90 % of further fleets would lie in, were they drawn the same way.
 *
 * @param least The interval does not go below it.
 */
export function estimate(values: readonly number[], least = Number.NEGATIVE_INFINITY): Estimate {
  const count = values.length;
  const mean = values.reduce((sum, value) => sum + value, 0) / count;
  if (count < 2) return { mean, low: mean, high: mean };
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (count - 1);
  const t = studentT95[Math.min(count - 1, studentT95.length) - 1] as number;
  const half = t * Math.sqrt(variance * (1 + 1 / count));
  return { mean, low: Math.max(least, mean - half), high: mean + half };
}

/** One figure of all runs, never negative. */
export function figure(runs: readonly Played[], pick: (played: Played) => number): Estimate {
  return estimate(runs.map(pick), 0);
}

/** A share: its interval ends at 1, too. */
export function share(runs: readonly Played[], pick: (played: Played) => number): Estimate {
  const { mean, low, high } = figure(runs, pick);
  return { mean, low, high: Math.min(1, high) };
}

/**
 * The gain of one layout over another from runs in pairs: each pair had the same traffic and the same
 * error of the engine model, which therefore cancel.
 */
export function gainOf(
  better: { readonly name: string; readonly runs: readonly Played[] },
  base: { readonly name: string; readonly runs: readonly Played[] },
): Gain {
  const ratios = (pick: (played: Played) => number) =>
    better.runs.map((played, i) => pick(played) / (pick(base.runs[i] as Played) || 1) - 1);
  return {
    of: better.name,
    over: base.name,
    throughput: estimate(
      ratios(({ throughput }) => throughput),
      -1,
    ),
    ttft: estimate(
      ratios(({ ttftMs }) => ttftMs),
      -1,
    ),
  };
}
