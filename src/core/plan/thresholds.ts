// Thresholds of the rules: the skill's by default. A plan names each one that a file overrides.
import { defaultThresholds, type GivenThresholds, type Thresholds } from '../values/index.ts';

/** Thresholds that were set, and where. */
export interface ThresholdSource {
  /** Name in the plan, e.g. `spillway.thresholds of values.yaml`. */
  readonly name: string;
  readonly given: GivenThresholds;
}

/** A threshold that differs from the skill's. */
export interface OverriddenThreshold {
  readonly threshold: keyof Thresholds;
  readonly value: number;
  readonly insteadOf: number;
  /** Name of the source that sets it. */
  readonly by: string;
}

/** @param sources Later sources win. */
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
