// Lengths in tokens: fixed, drawn from a distribution, or from one fitted to a trace.
import type { Random } from '../base/index.ts';
import { randomNormal } from './draws.ts';

/** A distribution of lengths in tokens. */
export type Lengths =
  | number
  /** Uniform between the two, both included. */
  | { readonly from: number; readonly to: number }
  /** Log-normal by its mean and its coefficient of variation (standard deviation / mean). */
  | { readonly mean: number; readonly cv: number }
  /** Uniform along the quantiles, which are given from 0 to 1 in equal steps. */
  | { readonly quantiles: readonly number[] };

/** Maximum length: the longest context of any current model. */
const tokensMax = 10_000_000;

/** Draws one length of at least 1. */
export function drawLength(lengths: Lengths, random: Random): number {
  if (typeof lengths === 'number') return lengths;
  const clamped = (value: number) => Math.min(tokensMax, Math.max(1, Math.round(value)));
  if ('from' in lengths) {
    const { from, to } = lengths;
    return from + Math.floor(random.next() * (to - from + 1));
  }
  if ('mean' in lengths) {
    // Of a log-normal: mean = exp(mu + s²/2), cv² = exp(s²) − 1.
    const variance = Math.log(1 + lengths.cv ** 2);
    const mu = Math.log(lengths.mean) - variance / 2;
    return clamped(Math.exp(mu + Math.sqrt(variance) * randomNormal(random)));
  }
  const { quantiles } = lengths;
  const at = random.next() * (quantiles.length - 1);
  const low = quantiles[Math.floor(at)] as number;
  const high = quantiles[Math.ceil(at)] as number;
  return clamped(low + (high - low) * (at - Math.floor(at)));
}

/** Number of quantiles of a fit: with 200, each covers half a percent of the values. */
const fittedQuantiles = 201;

/**
 * Fits the distribution of the values by its quantiles: real lengths have several modes and a long tail,
 * which no simple formula describes.
 *
 * @param values At least one.
 */
export function fitLengths(values: readonly number[]): { readonly quantiles: readonly number[] } {
  const sorted = values.toSorted((a, b) => a - b);
  const last = sorted.length - 1;
  const quantiles = Array.from({ length: fittedQuantiles }, (_, i) => {
    const at = (i / (fittedQuantiles - 1)) * last;
    const low = sorted[Math.floor(at)] as number;
    return low + ((sorted[Math.ceil(at)] as number) - low) * (at - Math.floor(at));
  });
  return { quantiles };
}
