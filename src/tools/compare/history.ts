// Finds the run since which a history of runs is worse.
import type { Random } from '../../core/base/index.ts';
import type { ComparisonLimits } from '../../core/comparison/index.ts';
import { loadOf, type SavedRun } from '../runs/index.ts';
import { compareRuns, type MeasuredRun } from './compare-runs.ts';

/** Runs of a history that are looked at, the newest ones. */
const historyMax = 200;

/** Where a history became worse. */
export interface Regression {
  /** The last run that was no worse than the best. */
  readonly good: SavedRun;
  /** The first of the runs that are worse, without exception, up to the newest. */
  readonly bad: SavedRun;
}

/** Returns the runs that say what a newer one is to be compared with: complete, of its load, with the label, oldest first. */
export function historyOf(
  newest: SavedRun,
  runs: readonly SavedRun[],
  label: string,
): readonly SavedRun[] {
  return runs
    .filter(
      (run) =>
        run.path !== newest.path &&
        run.label === label &&
        run.status === 0 &&
        run.startedAt <= newest.startedAt &&
        loadOf(run) === loadOf(newest),
    )
    .slice(-historyMax);
}

/**
 * Finds where a history became worse: the runs at its end that are worse than its best run.
 *
 * @param runs Oldest first, the newest included.
 * @returns undefined if the newest is no worse than the best, or no run before it is as good as the best.
 */
export function regressionIn(
  runs: readonly MeasuredRun[],
  limits: ComparisonLimits,
  random: Random,
): Regression | undefined {
  const best = runs.toSorted((x, y) => medianE2eOf(x) - medianE2eOf(y))[0];
  if (best === undefined) return undefined;
  const isWorse = (run: MeasuredRun) =>
    run !== best && compareRuns(best, run, limits, random).comparison.verdict === 'worse';
  let first = runs.length;
  while (first > 0 && isWorse(runs[first - 1] as MeasuredRun)) first--;
  const [good, bad] = [runs[first - 1], runs[first]];
  return good === undefined || bad === undefined ? undefined : { good: good.run, bad: bad.run };
}

function medianE2eOf({ responses }: MeasuredRun): number {
  const sorted = responses
    .flatMap(({ e2eMs }) => (e2eMs === undefined ? [] : [e2eMs]))
    .sort((x, y) => x - y);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.POSITIVE_INFINITY;
}
