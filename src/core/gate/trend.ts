// Divides a window into a few steps, for charts.

export interface TrendPoint {
  /** Start of the step, in Unix seconds. */
  readonly atSeconds: number;
  /** Mean and maximum of the step's samples; undefined if there are none. */
  readonly mean: number | undefined;
  readonly highest: number | undefined;
}

/** Returns mean and maximum, over all series, of each of `steps` equal parts of the window. */
export function trendOf(
  series: readonly { readonly times: ArrayLike<number>; readonly values: ArrayLike<number> }[],
  window: { readonly start: number; readonly end: number },
  steps: number,
): TrendPoint[] {
  const width = (window.end - window.start) / steps;
  const sums = new Float64Array(steps);
  const counts = new Uint32Array(steps);
  const highest = new Float64Array(steps).fill(Number.NEGATIVE_INFINITY);
  for (const { times, values } of series) {
    for (let index = 0; index < times.length; index++) {
      const offset = (times[index] as number) - window.start;
      const step = Math.min(steps - 1, Math.max(0, Math.floor(offset / width)));
      const value = values[index] as number;
      sums[step] = (sums[step] as number) + value;
      counts[step] = (counts[step] as number) + 1;
      highest[step] = Math.max(highest[step] as number, value);
    }
  }
  return Array.from(counts, (count, step) => ({
    atSeconds: window.start + step * width,
    mean: count > 0 ? (sums[step] as number) / count : undefined,
    highest: count > 0 ? highest[step] : undefined,
  }));
}

const bars = '▁▂▃▄▅▆▇█';

/**
 * Returns one character per step: its maximum share between 0 and 1; a space if it has no samples.
 */
export function sparkline(trend: readonly TrendPoint[]): string {
  return trend
    .map(({ highest }) => {
      if (highest === undefined) return ' ';
      const level = Math.floor(Math.min(0.999, Math.max(0, highest)) * bars.length);
      return bars[level];
    })
    .join('');
}
