// Linear interpolation in measured tables, in one dimension and in grids whose slices may have different
// sample points.

/** Samples of a function of one number, in ascending order of `at`. */
export interface Samples {
  readonly at: readonly number[];
  readonly values: readonly number[];
}

/**
 * Sorts samples.
 *
 * @param points Pairs (at, value) in any order; the last of equal `at` wins.
 */
export function samplesOf(points: Iterable<readonly [number, number]>): Samples {
  const sorted = [...new Map(points)].sort(([a], [b]) => a - b);
  return { at: sorted.map(([at]) => at), values: sorted.map(([, value]) => value) };
}

/** Interpolates linearly: constant below the first sample, along the last slope above the last. */
export function interpolate({ at, values }: Samples, x: number): number {
  const upper = upperIndex(at, x);
  const high = values[upper] as number;
  if (upper === 0) return high;
  const low = values[upper - 1] as number;
  return low + (high - low) * fraction(at, upper, x);
}

/**
 * Samples of a function of several numbers: slices along the first dimension, each with its own grid of the
 * remaining dimensions, so a table may be finer where it matters.
 */
export type Grid = Samples | { readonly at: readonly number[]; readonly slices: readonly Grid[] };

/**
 * Builds a grid.
 *
 * @param rows The coordinates followed by the value; at least one coordinate.
 * @throws {RangeError} If there is no row.
 */
export function gridOf(rows: readonly (readonly number[])[]): Grid {
  const [first] = rows;
  if (first === undefined) throw new RangeError('A grid needs at least one row');
  if (first.length === 2) return samplesOf(rows.map(([at = 0, value = 0]) => [at, value]));
  const slices = new Map<number, number[][]>();
  for (const [at = 0, ...rest] of rows) {
    const slice = slices.get(at);
    if (slice) slice.push(rest);
    else slices.set(at, [rest]);
  }
  const sorted = [...slices].sort(([a], [b]) => a - b);
  return { at: sorted.map(([at]) => at), slices: sorted.map(([, slice]) => gridOf(slice)) };
}

/** Interpolates one dimension after the other, with the edges of `interpolate`. */
export function interpolateGrid(grid: Grid, point: readonly number[], dimension = 0): number {
  const x = point[dimension] as number;
  if ('values' in grid) return interpolate(grid, x);
  const upper = upperIndex(grid.at, x);
  const share = upper === 0 ? 1 : fraction(grid.at, upper, x);
  const high = share === 0 ? 0 : interpolateGrid(grid.slices[upper] as Grid, point, dimension + 1);
  if (share === 1) return high;
  const low = interpolateGrid(grid.slices[upper - 1] as Grid, point, dimension + 1);
  return low + (high - low) * share;
}

/** Maps the values and keeps the points. */
export function mapSamples({ at, values }: Samples, of: (value: number) => number): Samples {
  return { at, values: values.map(of) };
}

/** Maps the values and keeps the points. */
export function mapGrid(grid: Grid, of: (value: number) => number): Grid {
  if ('values' in grid) return mapSamples(grid, of);
  return { at: grid.at, slices: grid.slices.map((slice) => mapGrid(slice, of)) };
}

export function smallestValue(grid: Grid): number {
  if ('values' in grid) return Math.min(...grid.values);
  return Math.min(...grid.slices.map(smallestValue));
}

/** Returns the index of the first sample at or above `x`, or of the last; 0 only below the first. */
function upperIndex(at: readonly number[], x: number): number {
  if (x <= (at[0] as number)) return 0;
  let low = 1;
  let high = at.length - 1;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((at[middle] as number) < x) low = middle + 1;
    else high = middle;
  }
  return Math.min(low, at.length - 1);
}

function fraction(at: readonly number[], upper: number, x: number): number {
  const below = at[upper - 1] as number;
  return (x - below) / ((at[upper] as number) - below);
}
