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
export type Measure = (typeof measures)[number];

/** The policy that is compared with the others. */
export const subject = 'predictive';
const noRivals: ReadonlySet<string> = new Set([
  ...[subject, withoutEvents, withoutSharing, alone],
  ...[clairvoyant, floorName],
]);
const levelShare = 0.02;

/**
 * Compares predictive with the best other policy.
 *
 * @param scores Scores of one cell and one number of routers.
 */
export function verdictOf(scores: readonly Score[], measure: Measure): Verdict | undefined {
  const better = measure === 'goodput' ? 1 : -1;
  const rivals = [...Map.groupBy(scores, ({ policy }) => policy)].filter(
    ([policy]) => !noRivals.has(policy),
  );
  if (rivals.length === 0) return undefined;
  const [rival] = rivals.reduce((a, b) =>
    better * (meanOf(b[1], measure) - meanOf(a[1], measure)) > 0 ? b : a,
  );
  return verdictAgainst(rival, scores, measure);
}

/** Compares predictive with one policy; undefined if either has no scores. */
export function verdictAgainst(
  rival: string,
  scores: readonly Score[],
  measure: Measure,
): Verdict | undefined {
  const better = measure === 'goodput' ? 1 : -1;
  const own = scores.filter(({ policy }) => policy === subject);
  const theirs = scores.filter(({ policy }) => policy === rival);
  if (own.length === 0 || theirs.length === 0) return undefined;
  const [ours, mean] = [meanOf(own, measure), meanOf(theirs, measure)];
  const ratio = ours === mean ? 1 : ours / mean;
  const lead = own.flatMap((score) => {
    const other = theirs.find(({ seed }) => seed === score.seed);
    return other ? [better * (score[measure] - other[measure])] : [];
  });
  const average = lead.reduce((sum, x) => sum + x, 0) / lead.length;
  if (average >= 0) return { rival, ratio, state: 'best' };
  const variance = lead.reduce((sum, x) => sum + (x - average) ** 2, 0) / (lead.length - 1);
  const isNoise =
    -average <= levelShare * mean ||
    (lead.length > 1 && -average <= 2 * Math.sqrt(variance / lead.length));
  return { rival, ratio, state: isNoise ? 'noise' : 'behind' };
}

/** Mean over the seeds. */
export function meanOf(scores: readonly Score[], measure: Measure): number {
  return estimate(scores.map((score) => score[measure])).mean;
}
