// Pictures of one run: latencies and throughput over time, and how latencies are spread.
import { percentile } from '../../core/stats/index.ts';
import { lineChart, type Markup, type Point } from '../report/index.ts';
import type { SavedResponse } from './read-run.ts';

/** Intervals of the time axis. */
const intervals = 40;
/** Points of a curve of shares. */
const curvePoints = 100;

/** Returns charts; none without a response. */
export function runCharts(responses: readonly SavedResponse[]): readonly Markup[] {
  const complete = responses.filter(
    ({ error, e2eMs }) => error === undefined && e2eMs !== undefined,
  );
  const ends = complete.map(({ at, e2eMs = 0 }) => at + e2eMs / 1000);
  const end = Math.max(0, ...ends);
  if (!(end > 0)) return [];
  const width = end / intervals;
  const bySent = bucketsOf(complete, ({ at }) => at, width);
  const byEnd = bucketsOf(complete, ({ at, e2eMs = 0 }) => at + e2eMs / 1000, width);
  const over = (of: (bucket: readonly SavedResponse[]) => number | undefined, buckets = bySent) =>
    buckets.map((bucket, index): Point => [(index + 0.5) * width, of(bucket)]);
  return [
    lineChart({
      title: 'Time to first token by the time of sending',
      xLabel: 'seconds',
      yLabel: 'milliseconds',
      series: [
        { name: 'p50', points: over((bucket) => quantile(bucket, 'ttftMs', 50)) },
        { name: 'p90', points: over((bucket) => quantile(bucket, 'ttftMs', 90)) },
      ],
    }),
    lineChart({
      title: 'Output tokens per second by the end of responses',
      xLabel: 'seconds',
      yLabel: 'tokens/s',
      series: [
        {
          name: 'tokens/s',
          points: over(
            (bucket) => bucket.reduce((sum, { outputTokens }) => sum + outputTokens, 0) / width,
            byEnd,
          ),
        },
      ],
    }),
    sharesChart('Time to first token', complete, 'ttftMs'),
    sharesChart('Time per output token', complete, 'tpotMs'),
  ];
}

/** The share of responses within each latency. */
function sharesChart(
  name: string,
  responses: readonly SavedResponse[],
  key: 'ttftMs' | 'tpotMs',
): Markup {
  const sorted = Float64Array.from(responses.flatMap((one) => one[key] ?? [])).sort();
  const points =
    sorted.length === 0
      ? []
      : Array.from({ length: curvePoints + 1 }, (_, i): Point => {
          const q = (100 * i) / curvePoints;
          return [percentile(sorted, q), q];
        });
  return lineChart({
    title: `${name}: share of the responses within it`,
    xLabel: 'milliseconds',
    yLabel: '%',
    yMax: 100,
    series: [{ name: 'share', points }],
  });
}

function bucketsOf(
  responses: readonly SavedResponse[],
  timeOf: (response: SavedResponse) => number,
  width: number,
): readonly SavedResponse[][] {
  const buckets: SavedResponse[][] = Array.from({ length: intervals }, () => []);
  for (const response of responses) {
    const index = Math.min(intervals - 1, Math.max(0, Math.floor(timeOf(response) / width)));
    buckets[index]?.push(response);
  }
  return buckets;
}

function quantile(
  bucket: readonly SavedResponse[],
  key: 'ttftMs' | 'tpotMs',
  q: number,
): number | undefined {
  const sorted = Float64Array.from(bucket.flatMap((one) => one[key] ?? [])).sort();
  return sorted.length === 0 ? undefined : percentile(sorted, q);
}
