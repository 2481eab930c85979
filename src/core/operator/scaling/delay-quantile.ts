// A quantile of the delays that a histogram has counted between two looks, from pages of several pods.

/** A bucket's upper bound and its cumulative count, as read. */
export interface Bucket {
  readonly bound: number;
  readonly count: number;
}

export class DelayQuantile {
  readonly #share: number;
  /** The last counts by pod and bound; as many pods as there are, with the buckets of one histogram. */
  #last: ReadonlyMap<string, ReadonlyMap<number, number>> = new Map();

  /** @param share 0.9 for the delay that nine of ten stay below. */
  constructor(share: number) {
    this.#share = share;
  }

  /**
   * @param pages Buckets by pod; several of one bound are added up. A pod's first page says nothing of the time since.
   * @returns Seconds, interpolated within its bucket, or the largest finite bound; undefined if nothing was counted.
   */
  add(pages: ReadonlyMap<string, readonly Bucket[]>): number | undefined {
    const now = new Map(Array.from(pages, ([pod, buckets]) => [pod, summed(buckets)]));
    const since = new Map<number, number>();
    for (const [pod, counts] of now) {
      const before = this.#last.get(pod);
      if (before === undefined) continue;
      const isRestarted = Array.from(counts).some(([bound, n]) => n < (before.get(bound) ?? 0));
      for (const [bound, count] of counts) {
        const news = isRestarted ? count : count - (before.get(bound) ?? 0);
        since.set(bound, (since.get(bound) ?? 0) + news);
      }
    }
    this.#last = now;
    return quantile(since, this.#share);
  }
}

function summed(buckets: readonly Bucket[]): ReadonlyMap<number, number> {
  const counts = new Map<number, number>();
  for (const { bound, count } of buckets) counts.set(bound, (counts.get(bound) ?? 0) + count);
  return counts;
}

/** As Prometheus' histogram_quantile. */
function quantile(counts: ReadonlyMap<number, number>, share: number): number | undefined {
  const buckets = [...counts].sort(([a], [b]) => a - b);
  const total = buckets.at(-1)?.[1] ?? 0;
  if (total <= 0) return undefined;
  let [lower, below] = [0, 0];
  for (const [bound, count] of buckets) {
    if (count >= share * total) {
      if (bound === Number.POSITIVE_INFINITY) return lower;
      const within = count - below;
      return lower + (within > 0 ? ((share * total - below) / within) * (bound - lower) : 0);
    }
    [lower, below] = [bound, count];
  }
  return lower;
}
