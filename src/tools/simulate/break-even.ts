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
  /** Undefined if a seed never crosses from loss to gain along the axis. */
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
    return {
      ...{ variant, points },
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
    let last = points.length - 1;
    while (last >= 0 && gainAt(last) > 0) last--;
    const [before, after] = [points[last], points[last + 1]];
    if (before === undefined || after === undefined) return undefined;
    const share = -gainAt(last) / (gainAt(last + 1) - gainAt(last));
    found.push(of(before) + share * (of(after) - of(before)));
  }
  return found.length === 0 ? undefined : estimate(found);
}
