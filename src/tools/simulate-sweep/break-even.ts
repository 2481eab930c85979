// Break-even of an offload: its gain over no offload along an axis, and where the gain begins.
import { type Estimate, estimate } from '../../core/stats/index.ts';
import type { SweepRow } from './sweep.ts';

/** Gain of a variant in tokens per second over no offload, along the axis; runs with the same seed are compared. */
export interface GainPoint {
  readonly setting: string;
  /** Working set divided by the HBM for KV cache of all engines. */
  readonly ratio: number;
  /** Mean share of KV blocks in use without offload. */
  readonly kvUsage: number;
  /** with / without − 1, by seed. */
  readonly gains: readonly number[];
  readonly gain: Estimate;
  /** Mean share of the prompt tokens computed without offload that the offload saves. */
  readonly avoided: number;
}

export interface BreakEven {
  readonly variant: string;
  readonly points: readonly GainPoint[];
  /** Number of seeds that gain at each point, and of those without gain at the last point: these never cross. */
  readonly alwaysPays: number;
  readonly neverPays: number;
  /** Undefined unless each seed crosses from no gain to gain; the interval is limited to the axis. */
  readonly ratio: Estimate | undefined;
  readonly kvUsage: Estimate | undefined;
}

/**
 * Smallest gain that counts: runs that differ only in their order differ by about as much.
 */
export const leastGain = 0.01;

/** @param rows Rows of one axis, with the variant `none` and others. */
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
        avoided: avoidedShare(base, row),
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

/** Returns the share of the prompt tokens computed without offload that are not computed with it. */
function avoidedShare(base: SweepRow, row: SweepRow | undefined): number {
  const shares = (row?.values.hit_rate ?? []).map((hits, seed) => {
    const computed = 1 - (base.values.hit_rate[seed] as number);
    return computed > 0 ? 1 - (1 - hits) / computed : 0;
  });
  return shares.length === 0 ? 0 : estimate(shares).mean;
}

/** Returns for each seed where the gain exceeds `leastGain` for good, by linear interpolation. */
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
  // Nothing is known beyond the settings that were run, however wide the interval is.
  return {
    mean,
    low: Math.max(low, Math.min(...run)),
    high: Math.min(high, Math.max(...run)),
    count,
  };
}

/** Returns the last point at which this seed has no gain; −1 if it gains at all points. */
function lastWithoutGain(points: readonly GainPoint[], seed: number): number {
  return points.findLastIndex(({ gains }) => !((gains[seed] ?? 0) > leastGain));
}
