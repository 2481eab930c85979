// Where an offload starts to pay: the gain over none along an axis, and where it crosses zero.
import { type Estimate, estimate } from '../../core/stats/index.ts';
import type { SweepRow } from './sweep.ts';

/** Along the axis, what a variant gains in tokens per second over none; equal seeds are compared. */
export interface GainPoint {
  readonly setting: string;
  /** Working set over the HBM for KV of all engines. */
  readonly ratio: number;
  /** Mean share of KV blocks in use without offload. */
  readonly kvUsage: number;
  /** (with / without − 1), by seed. */
  readonly gains: readonly number[];
  readonly gain: Estimate;
}

export interface BreakEven {
  readonly variant: string;
  readonly points: readonly GainPoint[];
  /** How many seeds gain at each point, and how many have no gain at the last: these cross nowhere. */
  readonly alwaysPays: number;
  readonly neverPays: number;
  /** Undefined unless each seed crosses from none to gain; its interval ends where the axis does. */
  readonly ratio: Estimate | undefined;
  readonly kvUsage: Estimate | undefined;
}

/**
 * A gain that is smaller than this is none: runs that differ in nothing but their order differ by
 * about as much.
 */
export const leastGain = 0.01;

/** @param rows Of one axis, with the variant `none` and others. */
export function breakEvens(rows: readonly SweepRow[]): BreakEven[] {
  const none = rows.filter(({ variant }) => variant === 'none');
  const variants = [...new Set(rows.map(({ variant }) => variant))].filter((v) => v !== 'none');
  return variants.map((variant) => {
    const points = none.map((base): GainPoint => {
      const row = rows.find((r) => r.variant === variant && r.settings[0] === base.settings[0]);
      const without = base.values.total_token_throughput;
      const gains = (row?.values.total_token_throughput ?? []).map(
        (value, seed) => value / (without[seed] as number) - 1,
      );
      return {
        setting: base.settings[0] ?? '',
        ratio: base.estimates.working_set_ratio.mean,
        kvUsage: base.estimates.mean_kv_usage.mean,
        ...{ gains, gain: estimate(gains) },
      };
    });
    const seeds = (points[0]?.gains ?? []).map((_, seed) => lastWithoutGain(points, seed));
    return {
      ...{ variant, points },
      alwaysPays: seeds.filter((last) => last < 0).length,
      neverPays: seeds.filter((last) => last === points.length - 1).length,
      ratio: crossing(points, ({ ratio }) => ratio),
      kvUsage: crossing(points, ({ kvUsage }) => kvUsage),
    };
  });
}

/** Where the gain passes `leastGain` for good, by linear interpolation, for each seed. */
function crossing(
  points: readonly GainPoint[],
  of: (point: GainPoint) => number,
): Estimate | undefined {
  const seeds = points[0]?.gains.length ?? 0;
  const found: number[] = [];
  for (let seed = 0; seed < seeds; seed++) {
    const gainAt = (i: number) => (points[i]?.gains[seed] ?? 0) - leastGain;
    const last = lastWithoutGain(points, seed);
    const [before, after] = [points[last], points[last + 1]];
    if (before === undefined || after === undefined) return undefined;
    const share = -gainAt(last) / (gainAt(last + 1) - gainAt(last));
    found.push(of(before) + share * (of(after) - of(before)));
  }
  if (found.length === 0) return undefined;
  const { mean, low, high, count } = estimate(found);
  const run = points.map(of);
  // What lies beyond the settings that were run is not known, however unsure the place is.
  return {
    mean,
    low: Math.max(low, Math.min(...run)),
    high: Math.min(high, Math.max(...run)),
    count,
  };
}

/** The last point at which this seed gains nothing; −1 if it gains at all of them. */
function lastWithoutGain(points: readonly GainPoint[], seed: number): number {
  return points.findLastIndex(({ gains }) => !((gains[seed] ?? 0) > leastGain));
}
