// Tests of paired differences: whether B differs from A, by how much, and how many pairs that takes.
import { type Random, randomInteger } from '../base/index.ts';
import { percentile, studentQuantile } from '../stats/index.ts';

/** Up to this many pairs, all 2^n sign patterns are tried instead of drawn ones. */
const exactPairsMax = 14;
const drawnPatterns = 5_000;
const resamples = 2_000;

/** Two-sided level of the whole comparison. */
export const significance = 0.05;

/**
 * The sign-flip permutation test: if A and B are equal, each difference could as well have the other sign.
 *
 * @param differences One per pair.
 * @returns The share of sign patterns whose mean is at least as far from 0; 1 without pairs.
 */
export function signFlipP(differences: readonly number[], random: Random): number {
  const count = differences.length;
  const observed = Math.abs(sum(differences));
  // Patterns that differ by rounding only are equally far.
  const limit = observed * (1 - 1e-9);
  if (count <= exactPairsMax) {
    let far = 0;
    for (let pattern = 0; pattern < 2 ** count; pattern++) {
      let total = 0;
      for (let i = 0; i < count; i++) {
        total += (pattern >> i) & 1 ? (differences[i] as number) : -(differences[i] as number);
      }
      if (Math.abs(total) >= limit) far++;
    }
    return far / 2 ** count;
  }
  let far = 1;
  for (let draw = 0; draw < drawnPatterns; draw++) {
    let total = 0;
    for (const difference of differences) total += random.next() < 0.5 ? difference : -difference;
    if (Math.abs(total) >= limit) far++;
  }
  return far / (drawnPatterns + 1);
}

/**
 * The 95 % interval of the mean by the bootstrap over pairs, with expanded percentiles: those of a plain bootstrap are too
 * close for few pairs.
 *
 * @param differences At least two.
 * @see T. Hesterberg, "What Teachers Should Know about the Bootstrap", The American Statistician, 2015
 */
export function bootstrapInterval(
  differences: readonly number[],
  random: Random,
): { readonly low: number; readonly high: number } {
  const count = differences.length;
  const means = Float64Array.from({ length: resamples }, () => {
    let total = 0;
    for (let i = 0; i < count; i++) total += differences[randomInteger(random, count)] as number;
    return total / count;
  }).sort();
  const expanded = Math.sqrt(count / (count - 1)) * studentQuantile(count - 1);
  const tail = 100 * normalShareBelow(-expanded);
  return { low: percentile(means, tail), high: percentile(means, 100 - tail) };
}

/**
 * How many pairs show a difference with 80 % probability. The spread of few pairs may be too small by chance, so the upper
 * bound of its one-sided 80 % interval is used.
 *
 * @param differences Those of the pairs that were measured; at least two.
 * @param effect The difference to show, in the same unit, above 0.
 * @param tests Number of tests that share the significance.
 * @see M. Kieser and G. Wassmer, "On the Use of the Upper Confidence Limit for the Variance from a Pilot Sample for Sample
 *   Size Determination", Biometrical Journal 38, 1996
 */
export function pairsNeeded(differences: readonly number[], effect: number, tests: number): number {
  const freedom = differences.length - 1;
  const spread = spreadOf(differences) * Math.sqrt(freedom / lowChiSquare(freedom));
  const power = 0.8416;
  const critical = criticalValues[Math.min(tests, criticalValues.length) - 1] as number;
  // Student's t instead of the normal distribution takes about critical² / 2 pairs more.
  const pairs = ((critical + power) * (spread / effect)) ** 2 + critical ** 2 / 2;
  return Math.max(pairsMinFor(tests), Math.ceil(pairs));
}

/** The 20 % quantile of the chi-square distribution, by Wilson and Hilferty. */
function lowChiSquare(freedom: number): number {
  const variance = 2 / (9 * freedom);
  return freedom * (1 - variance - 0.8416 * Math.sqrt(variance)) ** 3;
}

/** The fewest pairs whose most extreme pattern is significant in the first of some tests by Holm's rule. */
export function pairsMinFor(tests: number): number {
  return Math.ceil(Math.log2((2 * tests) / significance));
}

/** Two-sided quantiles of the normal distribution at 0.05 / 1, / 2, … / 4. */
const criticalValues = [1.96, 2.2414, 2.394, 2.4977];

/**
 * Holm's correction: p values that can be compared with the significance as if each test were the only one.
 *
 * @returns In the order of `values`.
 */
export function holmAdjusted(values: readonly number[]): number[] {
  const order = values.map((p, index) => ({ p, index })).sort((x, y) => x.p - y.p);
  const adjusted = new Array<number>(values.length);
  let most = 0;
  for (const [rank, { p, index }] of order.entries()) {
    most = Math.max(most, Math.min(1, p * (values.length - rank)));
    adjusted[index] = most;
  }
  return adjusted;
}

/**
 * Fisher's exact test, two-sided: whether two shares differ.
 *
 * @param failed Number of failures of each side.
 * @param sent Number of requests of each side.
 */
export function fisherP(
  failed: readonly [number, number],
  sent: readonly [number, number],
): number {
  const total = sent[0] + sent[1];
  const failures = failed[0] + failed[1];
  const logFactorials = new Float64Array(total + 1);
  for (let n = 2; n <= total; n++) {
    logFactorials[n] = (logFactorials[n - 1] as number) + Math.log(n);
  }
  const logChoose = (n: number, k: number) =>
    (logFactorials[n] as number) - (logFactorials[k] as number) - (logFactorials[n - k] as number);
  const probability = (first: number) =>
    Math.exp(
      logChoose(sent[0], first) + logChoose(sent[1], failures - first) - logChoose(total, failures),
    );
  const observed = probability(failed[0]) * (1 + 1e-9);
  let p = 0;
  for (let k = Math.max(0, failures - sent[1]); k <= Math.min(failures, sent[0]); k++) {
    const of = probability(k);
    if (of <= observed) p += of;
  }
  return Math.min(1, p);
}

export function mean(values: readonly number[]): number {
  return sum(values) / values.length;
}

/** Sample standard deviation; 0 for fewer than two values. */
function spreadOf(values: readonly number[]): number {
  if (values.length < 2) return 0;
  const center = mean(values);
  const squares = values.reduce((total, value) => total + (value - center) ** 2, 0);
  return Math.sqrt(squares / (values.length - 1));
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

/**
 * The share of the standard normal distribution below z, within 1e-7.
 *
 * @see Abramowitz and Stegun, 26.2.17
 */
function normalShareBelow(z: number): number {
  const t = 1 / (1 + 0.2316419 * Math.abs(z));
  const series =
    t *
    (0.31938153 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))));
  const tail = (Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI)) * series;
  return z < 0 ? tail : 1 - tail;
}
