// From a few simulated fleets to figures with intervals.

import type { Estimate, Gain } from './plan.ts';
import type { Played } from './play.ts';

/**
 * Standard deviation of the logarithm of what a fleet did over what was simulated from its description alone,
 * which is all that a plan has: how it is run (router, tokenizer, order of requests) moves it, too. From the
 * six rows of llm-d's experiment before that was known (docs/guide/plan).
 */
export const fleetErrors = { ttft: 0.49, e2e: 0.11, throughput: 0.05 } as const;
/**
 * The same for what a KV tier or a policy gains, for each token of a prompt that it saves: on the traffic of
 * that experiment, where a third more tokens is cached, four policies give gains of 1 to 25 %, 0.32 of a
 * standard deviation a token; four are few, so Student's t with three degrees of freedom takes the place of
 * the normal quantile.
 */
const gainErrorPerHit = 0.32 * (2.353 / 1.645);
/** And for what a KV tier gains whatever it saves, of the four gains of that experiment. */
const gainErrorOfTier = 0.03;
/** Quantile of the normal distribution at 95 %. */
const normalP95 = 1.645;

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
 *
 * @param fleetError What the runs do not show, as a standard deviation of the logarithm.
 */
export function positiveEstimate(values: readonly number[], fleetError = 0): Estimate {
  const { mean, low, high } = estimate(values);
  if (values.some((value) => value <= 0)) return { mean, low: Math.max(0, low), high };
  const { mean: middle, half } = spread(values.map(Math.log));
  const factor = Math.exp(Math.hypot(half, normalP95 * fleetError));
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
export function figure(
  runs: readonly Played[],
  pick: (played: Played) => number,
  fleetError = 0,
): Estimate {
  return positiveEstimate(runs.map(pick), fleetError);
}

/** A share: its interval ends at 1, too. */
export function share(runs: readonly Played[], pick: (played: Played) => number): Estimate {
  const { mean, low, high } = figure(runs, pick);
  return { mean, low, high: Math.min(1, high) };
}

/**
 * The gain of one layout over another from runs in pairs: each pair had the same traffic and the same
 * error of the engine model, which therefore cancel. What they compute differently does not.
 *
 * @param fleetError What pairs do not show, as a standard deviation of the logarithm.
 */
export function gainOf(
  better: { readonly name: string; readonly runs: readonly Played[] },
  base: { readonly name: string; readonly runs: readonly Played[] },
  fleetError = gainErrorPerHit * Math.abs(meanHitRate(better.runs) - meanHitRate(base.runs)),
): Gain {
  const gain = (pick: (played: Played) => number): Estimate => {
    const { mean, low, high } = positiveEstimate(
      better.runs.map((played, i) => pick(played) / (pick(base.runs[i] as Played) || 1)),
      fleetError,
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

/** @param hitsAtStake Share of the prompts' tokens that the best of the tiers saves. */
export function tierGainError(hitsAtStake: number): number {
  return Math.hypot(gainErrorPerHit * hitsAtStake, gainErrorOfTier);
}

/** Share of the prompts' tokens that were cached, over all runs. */
export function meanHitRate(runs: readonly Played[]): number {
  return runs.reduce((sum, { hitRate }) => sum + hitRate, 0) / runs.length;
}
