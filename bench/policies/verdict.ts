// Decides whether predictive is the best available policy. Seeds are compared in pairs, because all
// policies of a seed had the same traffic.
import { estimate } from '../../src/core/stats/index.ts';
import { alone, clairvoyant, withoutEvents, withoutSharing } from './contenders.ts';
import { floorName, type Score } from './play.ts';

export interface Verdict {
  /** The policy with the best mean, except variants of predictive. */
  readonly rival: string;
  /**
   * `best`: better than the rival on average. `noise`: behind by less than two standard errors of
   * the difference, or by at most 2 %. `behind`: by more.
   */
  readonly state: 'best' | 'noise' | 'behind';
  /** Predictive's mean divided by the rival's. */
  readonly ratio: number;
}

/** The measures by which policies are compared. */
export const measures = ['ttftP90Seconds', 'goodput', 'e2eMeanSeconds'] as const;

const subject = 'predictive';
const noRivals: ReadonlySet<string> = new Set([
  ...[subject, withoutEvents, withoutSharing, alone],
  ...[clairvoyant, floorName],
]);
const levelShare = 0.02;

/** @param scores Scores of one cell and one number of routers. */
export function verdictOf(
  scores: readonly Score[],
  measure: (typeof measures)[number],
): Verdict | undefined {
  const better = measure === 'goodput' ? 1 : -1;
  const byPolicy = Map.groupBy(scores, ({ policy }) => policy);
  const own = byPolicy.get(subject);
  const rivals = [...byPolicy].filter(([policy]) => !noRivals.has(policy));
  if (own === undefined || rivals.length === 0) return undefined;
  const mean = (list: readonly Score[]) => estimate(list.map((score) => score[measure])).mean;
  const [rival, theirs] = rivals.reduce((a, b) => (better * (mean(b[1]) - mean(a[1])) > 0 ? b : a));
  const ratio = mean(own) === mean(theirs) ? 1 : mean(own) / mean(theirs);
  const lead = own.flatMap((score) => {
    const other = theirs.find(({ seed }) => seed === score.seed);
    return other ? [better * (score[measure] - other[measure])] : [];
  });
  const average = lead.reduce((sum, x) => sum + x, 0) / lead.length;
  if (average >= 0) return { rival, ratio, state: 'best' };
  const variance = lead.reduce((sum, x) => sum + (x - average) ** 2, 0) / (lead.length - 1);
  const isNoise =
    -average <= levelShare * mean(theirs) ||
    (lead.length > 1 && -average <= 2 * Math.sqrt(variance / lead.length));
  return { rival, ratio, state: isNoise ? 'noise' : 'behind' };
}
