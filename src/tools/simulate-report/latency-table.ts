// Latencies of a simulated run as a text table.
import { counted } from '../../core/base/index.ts';
import { latencyNames, type ServeReport } from '../../core/stats/index.ts';
import { type Table, textTable } from '../report/index.ts';

/** Returns the throughput, and a row for each latency in milliseconds. */
export function latencyTable(report: ServeReport): string {
  const { completed, durationSeconds, outputTokens } = report;
  const rate = (count: number) => (count / durationSeconds).toFixed(1);
  return (
    `${counted(completed, 'request')} in ${durationSeconds.toFixed(1)} s: ${rate(completed)} requests/s, ` +
    `${rate(outputTokens)} output tok/s\n` +
    `${textTable(latencies(report), { gap: 1, widthsMin: [6, 10] })}\n`
  );
}

/** Returns a row in milliseconds for each latency, with a column for the mean, each percentile, and the median if p50 is not among them. */
export function latencies({ percentiles, fromSent }: ServeReport): Table {
  const hasMedian = percentiles.includes(50);
  return {
    head: ['ms', 'mean', ...(hasMedian ? [] : ['median']), ...percentiles.map((q) => `p${q}`)],
    rows: latencyNames.map((name) => {
      const summary = fromSent[name];
      const values = [
        summary?.mean,
        ...(hasMedian ? [] : [summary?.median]),
        ...(summary?.percentiles.map(({ value }) => value) ?? []),
      ];
      return [name.toUpperCase(), ...values.map((value) => value?.toFixed(1) ?? '–')];
    }),
  };
}
