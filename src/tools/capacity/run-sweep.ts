// One run for each load, or for ever more users until the server is saturated.
import { kneeOf, kneeWithin } from '../../core/capacity/index.ts';
import { completeRun, type LoadAxis, type LoadPoint, loadPoint, type RunAt } from './load-point.ts';

/** Growth of the throughput below which a doubling of the users brought nothing. */
const growthMin = 0.05;
/** Doublings in a row without growth after which the server counts as saturated. */
const idleDoublings = 2;
/** Share of the highest throughput that may be missing at the load that is enough. */
const enoughTolerance = 0.05;

export interface SweepOutcome {
  readonly axis: LoadAxis;
  readonly points: readonly LoadPoint[];
  /** The point of the highest throughput / latency; none if no response was complete. */
  readonly knee: LoadPoint | undefined;
  /** The lowest load with at least 95 % of the highest throughput. */
  readonly enough: LoadPoint | undefined;
  /** Whether a signal, or a server that has gone, ended it early. */
  readonly isPartial: boolean;
}

interface SweepContext {
  readonly signal: AbortSignal;
  readonly onPoint?: (point: LoadPoint) => void;
}

/** Measures each of the loads, in the given order. */
export function runSweep(
  axis: LoadAxis,
  loads: readonly number[],
  runAt: RunAt,
  context: SweepContext,
): Promise<SweepOutcome> {
  return measured(axis, (points) => loads[points.length], runAt, context);
}

/** Doubles the number of users until two doublings in a row bring less than 5 % more, at most to `usersMax`. */
export function runSaturation(
  range: { readonly usersMin: number; readonly usersMax: number },
  runAt: RunAt,
  context: SweepContext,
): Promise<SweepOutcome> {
  const next = (points: readonly LoadPoint[]) => {
    const last = points.at(-1);
    if (last === undefined) return range.usersMin;
    const users = Math.min(2 * last.load, range.usersMax);
    return users === last.load || isSaturated(points) ? undefined : users;
  };
  return measured('concurrency', next, runAt, context);
}

async function measured(
  axis: LoadAxis,
  next: (points: readonly LoadPoint[]) => number | undefined,
  runAt: RunAt,
  { signal, onPoint }: SweepContext,
): Promise<SweepOutcome> {
  const points: LoadPoint[] = [];
  let isPartial = false;
  for (let load = next(points); load !== undefined; load = next(points)) {
    const outcome = await completeRun(runAt, load, points.length, signal);
    if (outcome === undefined) {
      isPartial = true;
      break;
    }
    const point = loadPoint(axis, load, outcome);
    points.push(point);
    onPoint?.(point);
  }
  return {
    axis,
    points,
    knee: kneeOf(points.filter(({ isBehind }) => !isBehind)) ?? kneeOf(points),
    enough: kneeWithin(points, enoughTolerance),
    isPartial,
  };
}

function isSaturated(points: readonly LoadPoint[]): boolean {
  if (points.length <= idleDoublings) return false;
  const best = (some: readonly LoadPoint[]) =>
    Math.max(...some.map(({ throughput }) => throughput));
  return (
    best(points.slice(-idleDoublings)) < (1 + growthMin) * best(points.slice(0, -idleDoublings))
  );
}
