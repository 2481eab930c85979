// A window in a few steps, for pictures.

export interface TrendPoint {
  /** Unix seconds of the step's start. */
  readonly atSeconds: number;
  /** Mean and highest of the step's samples; undefined where there are none. */
  readonly mean: number | undefined;
  readonly highest: number | undefined;
}

/** Mean and maximum, over all series, of each of `steps` equal parts of the window. */
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

/** One character a step: its highest share between 0 and 1; a space where nothing was sampled. */
export function sparkline(trend: readonly TrendPoint[]): string {
  return trend
    .map(({ highest }) => {
      if (highest === undefined) return ' ';
      const level = Math.floor(Math.min(0.999, Math.max(0, highest)) * bars.length);
      return bars[level];
    })
    .join('');
}
