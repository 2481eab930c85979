// A simulated run as a table for people.
import { latencyNames, type ServeReport } from '../../core/stats/index.ts';

/** Throughput, and a row for each latency in milliseconds. */
export function latencyTable(report: ServeReport): string {
  const { completed, durationSeconds, outputTokens, percentiles, fromSent } = report;
  const rate = (count: number) => (count / durationSeconds).toFixed(1);
  const head = ['ms', 'mean', 'median', ...percentiles.map((q) => `p${q}`)];
  const rows = latencyNames.map((name) => {
    const summary = fromSent[name];
    const values = [
      summary?.mean,
      summary?.median,
      ...(summary?.percentiles.map(({ value }) => value) ?? []),
    ];
    return [name.toUpperCase(), ...values.map((value) => value?.toFixed(1) ?? '–')];
  });
  const line = (cells: readonly string[]) =>
    cells.map((cell, i) => (i === 0 ? cell.padEnd(6) : cell.padStart(11))).join('');
  return (
    `${completed} requests in ${durationSeconds.toFixed(1)} s: ${rate(completed)} requests/s, ` +
    `${rate(outputTokens)} output tok/s\n${[head, ...rows].map(line).join('\n')}\n`
  );
}
