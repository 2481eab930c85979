// A mean and its uncertainty: Student's interval over a few runs.

export interface Estimate {
  readonly mean: number;
  /** The 95 % interval; the mean itself for a single run, whose uncertainty is unknown. */
  readonly low: number;
  readonly high: number;
  readonly count: number;
}

/** Two-sided 95 % quantiles of Student's t for 1 to 30 degrees of freedom. */
const studentT = [
  ...[12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228],
  ...[2.201, 2.179, 2.16, 2.145, 2.131, 2.12, 2.11, 2.101, 2.093, 2.086],
  ...[2.08, 2.074, 2.069, 2.064, 2.06, 2.056, 2.052, 2.048, 2.045, 2.042],
];
const normalQuantile = 1.96;

/** Two-sided 95 % quantile of Student's t; of the normal distribution beyond 30 degrees of freedom. */
export function studentQuantile(degreesOfFreedom: number): number {
  return studentT[degreesOfFreedom - 1] ?? normalQuantile;
}

/** @param values At least one. */
export function estimate(values: readonly number[]): Estimate {
  const count = values.length;
  const mean = values.reduce((sum, value) => sum + value, 0) / count;
  if (count < 2) return { mean, low: mean, high: mean, count };
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (count - 1);
  const half = studentQuantile(count - 1) * Math.sqrt(variance / count);
  return { mean, low: mean - half, high: mean + half, count };
}
