// Finds missing samples.

export interface Gap {
  /** Unix seconds of the last sample before the gap, or the start of the window. */
  readonly fromSeconds: number;
  /** Unix seconds of the first sample after the gap, or the end of the window. */
  readonly toSeconds: number;
}

/**
 * Distance that counts as a gap, in scrape intervals: one missed scrape is not a gap, two
 * consecutive ones are.
 */
const gapIntervals = 2.5;

/**
 * Returns the gaps of a series within a window, including those at its edges.
 *
 * @param times Unix seconds, ascending.
 * @example gapsOf([0, 10, 60], { start: 0, end: 60 }, 10); // [{ fromSeconds: 10, toSeconds: 60 }]
 */
export function gapsOf(
  times: ArrayLike<number>,
  window: { readonly start: number; readonly end: number },
  intervalSeconds: number,
): Gap[] {
  const gaps: Gap[] = [];
  let last = window.start;
  const check = (next: number) => {
    if (next - last > gapIntervals * intervalSeconds) {
      gaps.push({ fromSeconds: last, toSeconds: next });
    }
    last = next;
  };
  for (let index = 0; index < times.length; index++) check(times[index] as number);
  check(window.end);
  return gaps;
}

/**
 * Returns the scrape interval: the median distance between neighbouring samples of all series.
 *
 * @returns Undefined if no series has two samples.
 */
export function intervalOf(series: readonly ArrayLike<number>[]): number | undefined {
  const distances: number[] = [];
  for (const times of series) {
    for (let index = 1; index < times.length; index++) {
      distances.push((times[index] as number) - (times[index - 1] as number));
    }
  }
  if (distances.length === 0) return undefined;
  const sorted = Float64Array.from(distances).sort();
  return sorted[Math.floor(sorted.length / 2)];
}
