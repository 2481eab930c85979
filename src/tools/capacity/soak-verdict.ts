// The verdict on a soak: whether a figure of its windows drifts.
import { type Trend, trendOf } from '../../core/capacity/index.ts';
import type { SoakWindow } from './soak-windows.ts';

/** Significance of a drift, shared by all figures (Bonferroni). */
const significance = 0.01;
/** Drift over the whole soak, as a share of the median, that is too small to matter. */
export const driftMaxDefault = 0.05;
/** Windows that are left out at the start: caches fill, code is compiled. */
const warmupShare = 0.1;
/** Windows after the warm-up that a verdict needs. */
export const windowsMin = 8;

/** One figure of the windows. */
interface Figure {
  readonly name: string;
  readonly of: (window: SoakWindow) => number | undefined;
  readonly isWorseUp: boolean;
}

const figures: readonly Figure[] = [
  { name: 'TTFT p50', of: ({ ttftP50Ms }) => ttftP50Ms, isWorseUp: true },
  { name: 'TTFT p99', of: ({ ttftP99Ms }) => ttftP99Ms, isWorseUp: true },
  { name: 'TPOT p50', of: ({ tpotP50Ms }) => tpotP50Ms, isWorseUp: true },
  { name: 'E2E p50', of: ({ e2eP50Ms }) => e2eP50Ms, isWorseUp: true },
  { name: 'completed', of: ({ completed }) => completed, isWorseUp: false },
  { name: 'failed', of: ({ failed }) => failed, isWorseUp: true },
  { name: 'server memory', of: ({ serverBytes }) => serverBytes, isWorseUp: true },
];

/** How one figure went. */
export interface SoakTrend {
  readonly name: string;
  readonly median: number;
  readonly trend: Trend;
  /** Change over the soak, as a share of the median; of the largest value if that is 0. */
  readonly change: number;
  /** Whether it got worse, and not by chance. */
  readonly isDrift: boolean;
}

export interface SoakVerdict {
  readonly verdict: 'stable' | 'drifts' | 'not enough data';
  readonly trends: readonly SoakTrend[];
  /** Windows that were left out as warm-up. */
  readonly warmupWindows: number;
}

/**
 * Judges the windows of a soak, which must be complete.
 *
 * @param driftMax Change over the soak that does not matter, such as 0.05.
 */
export function judgeSoak(windows: readonly SoakWindow[], driftMax: number): SoakVerdict {
  const warmupWindows = Math.ceil(windows.length * warmupShare);
  const kept = windows.slice(warmupWindows);
  if (kept.length < windowsMin) return { verdict: 'not enough data', trends: [], warmupWindows };
  const trends = figures.flatMap((figure) => trendIn(kept, figure, driftMax) ?? []);
  const verdict = trends.some(({ isDrift }) => isDrift) ? 'drifts' : 'stable';
  return { verdict, trends, warmupWindows };
}

function trendIn(
  windows: readonly SoakWindow[],
  { name, of, isWorseUp }: Figure,
  driftMax: number,
): SoakTrend | undefined {
  const values = windows.map(of).filter((value) => value !== undefined);
  // A figure that most windows lack says nothing about the soak.
  if (values.length < windows.length / 2) return undefined;
  const trend = trendOf(values);
  if (trend === undefined) return undefined;
  const sorted = values.toSorted((a, b) => a - b);
  const median = sorted[Math.floor(sorted.length / 2)] as number;
  const scale = median || (sorted.at(-1) as number) || 1;
  const change = (trend.slope * (values.length - 1)) / scale;
  const worse = isWorseUp ? change : -change;
  const isDrift = trend.p < significance / figures.length && worse > driftMax;
  return { name, median, trend, change, isDrift };
}
