// Finds the highest rate within a service level by measuring one rate after another.
import {
  RateSearch,
  type RateSearchOptions,
  type RateSearchResult,
} from '../../core/capacity/index.ts';
import { completeRun, type LoadPoint, loadPoint, type RunAt } from './load-point.ts';

/** Mean number of requests under way below which a server is idle. */
const idleConcurrency = 0.1;

export interface SearchOutcome extends RateSearchResult {
  /** Every run, in order. */
  readonly points: readonly LoadPoint[];
  readonly isPartial: boolean;
}

/**
 * Searches; a rate at which the server falls behind fails, whatever its share of good responses: a longer run would
 * have fewer.
 *
 * @param runAt Its runs must have a service level.
 */
export async function runRateSearch(
  options: RateSearchOptions,
  runAt: RunAt,
  context: { readonly signal: AbortSignal; readonly onPoint?: (point: LoadPoint) => void },
): Promise<SearchOutcome> {
  const search = new RateSearch(options);
  const points: LoadPoint[] = [];
  let isPartial = false;
  while (search.nextRate !== undefined) {
    const outcome = await completeRun(runAt, search.nextRate, points.length, context.signal);
    if (outcome === undefined) {
      isPartial = true;
      break;
    }
    const point = loadPoint('rate', search.nextRate, outcome);
    const { completed, failed, good = 0 } = point.report;
    const verdict = search.add({ good: point.isBehind ? 0 : good, total: completed + failed });
    points.push(point);
    context.onPoint?.(point);
    if (verdict === 'fails' && isIdle(point)) break;
  }
  return { ...search.result, points, isPartial };
}

/** Whether requests hardly met each other, or none was completed: a lower rate would change nothing. */
function isIdle({ load, report, latencySeconds }: LoadPoint): boolean {
  return report.completed === 0 || load * latencySeconds < idleConcurrency;
}
