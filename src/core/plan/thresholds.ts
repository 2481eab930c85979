// The numbers that the rules compare with: the skill's, unless a file says otherwise; the plan then says so.
import { defaultThresholds, type GivenThresholds, type Thresholds } from '../values/index.ts';

/** Thresholds that somebody has set, and where. */
export interface ThresholdSource {
  /** As the plan names it, e.g. `spillway.thresholds of values.yaml`. */
  readonly name: string;
  readonly given: GivenThresholds;
}

/** A threshold that is not the skill's. */
export interface OverriddenThreshold {
  readonly threshold: keyof Thresholds;
  readonly value: number;
  readonly insteadOf: number;
  /** Name of the source. */
  readonly by: string;
}

/** @param sources Later wins. */
export function resolveThresholds(sources: readonly ThresholdSource[]): {
  readonly thresholds: Thresholds;
  readonly overridden: readonly OverriddenThreshold[];
} {
  const names = Object.keys(defaultThresholds) as (keyof Thresholds)[];
  const thresholds: { -readonly [Name in keyof Thresholds]: number } = { ...defaultThresholds };
  const overridden: OverriddenThreshold[] = [];
  for (const threshold of names) {
    const insteadOf = defaultThresholds[threshold];
    const source = sources.findLast(({ given }) => given[threshold] !== undefined);
    const value = source?.given[threshold];
    if (source === undefined || value === undefined || value === insteadOf) continue;
    thresholds[threshold] = value;
    overridden.push({ threshold, value, insteadOf, by: source.name });
  }
  return { thresholds, overridden };
}
