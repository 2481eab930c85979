// A few order statistics of millions of numbers, such as the gaps between all tokens of a run,
// without sorting them.

/** Up to this many numbers are sorted rather than split. */
const sortedMax = 4096;

/**
 * Puts the values of some ranks where sorting would put them; the others end up somewhere between them. A
 * quicksort that skips the parts without a rank, in linear time.
 *
 * @param ranks Indexes of `values`, ascending.
 * @example
 * const values = Float64Array.of(5, 1, 4, 2, 3);
 * placeRanks(values, [2]);
 * values[2]; // 3
 */
export function placeRanks(values: Float64Array, ranks: readonly number[]): void {
  // Twice the splits that halving needs: after more bad pivots the rest is sorted.
  placeIn(values, ranks, 2 * Math.ceil(Math.log2(values.length + 1)));
}

function placeIn(values: Float64Array, ranks: readonly number[], splitsMax: number): void {
  if (ranks.length === 0) return;
  if (values.length <= sortedMax || splitsMax === 0) {
    values.sort();
    return;
  }
  const { belowEnd, aboveStart } = split(values);
  placeIn(
    values.subarray(0, belowEnd),
    ranks.filter((rank) => rank < belowEnd),
    splitsMax - 1,
  );
  placeIn(
    values.subarray(aboveStart),
    ranks.filter((rank) => rank >= aboveStart).map((rank) => rank - aboveStart),
    splitsMax - 1,
  );
}

/** Hoare's partition: values below a pivot to the front, values above it to the back. */
function split(values: Float64Array): { readonly belowEnd: number; readonly aboveStart: number } {
  const last = values.length - 1;
  const pivot = middleOf(values[0] as number, values[last >>> 1] as number, values[last] as number);
  let [low, high] = [0, last];
  while (low <= high) {
    while ((values[low] as number) < pivot) low++;
    while ((values[high] as number) > pivot) high--;
    if (low > high) break;
    const swapped = values[low] as number;
    values[low++] = values[high] as number;
    values[high--] = swapped;
  }
  return { belowEnd: high + 1, aboveStart: low };
}

function middleOf(a: number, b: number, c: number): number {
  return Math.max(Math.min(a, b), Math.min(Math.max(a, b), c));
}
