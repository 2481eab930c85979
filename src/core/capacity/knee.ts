// The knee of a sweep: the load beyond which waiting grows faster than throughput.

/** One load of a sweep. */
export interface KneePoint {
  /** Offered rate in requests per second, or concurrency. */
  readonly load: number;
  /** Complete requests, or tokens, per second. */
  readonly throughput: number;
  /** Mean end-to-end latency in seconds. */
  readonly latencySeconds: number;
}

/**
 * Returns the point of the highest power, throughput / latency: below it, more load brings more throughput than
 * waiting; above it, more waiting than throughput.
 *
 * @returns undefined without a point that has throughput.
 * @see L. Kleinrock, "Power and Deterministic Rules of Thumb for Probabilistic Problems in Computer Communications",
 *   ICC 1979
 */
export function kneeOf<Point extends KneePoint>(points: readonly Point[]): Point | undefined {
  let knee: Point | undefined;
  for (const point of points) {
    if (!(point.throughput > 0 && point.latencySeconds > 0)) continue;
    if (knee === undefined || powerOf(point) > powerOf(knee)) knee = point;
  }
  return knee;
}

/**
 * Returns the lowest load whose throughput is within a share of the highest: the load that is enough.
 *
 * @param tolerance Share of the highest throughput that may be missing, such as 0.05.
 */
export function kneeWithin<Point extends KneePoint>(
  points: readonly Point[],
  tolerance: number,
): Point | undefined {
  const enough = (1 - tolerance) * Math.max(0, ...points.map(({ throughput }) => throughput));
  return points
    .filter(({ throughput }) => throughput > 0 && throughput >= enough)
    .toSorted((a, b) => a.load - b.load)[0];
}

function powerOf({ throughput, latencySeconds }: KneePoint): number {
  return throughput / latencySeconds;
}
